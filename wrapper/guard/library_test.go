package guard

import (
	"testing"

	library "github.com/emersion/go-milter"
)

// A library's MTA side understands the guard, and the guard understands it.
func TestLibrary(t *testing.T) {
	p := stand(t, rules)
	client := library.NewClientWithOptions("unix", p.socket, library.ClientOptions{
		ActionMask: library.OptSetSymList,
		ProtocolMask: library.OptNoBody | library.OptNoHeaders | library.OptNoEOH |
			library.OptNoUnknown |
			library.OptNoData | library.OptRcptRej | library.OptNoHeloReply,
	})
	m, err := client.Session()
	mustDo(t, err)
	defer m.Close()
	want := func(want library.ActionCode) func(*library.Action, error) {
		return func(got *library.Action, err error) {
			t.Helper()
			if err != nil || got.Code != want || want == library.ActReplyCode &&
				got.SMTPCode != 421 {
				t.Fatalf("%+v, %v; want %q", got, err, want)
			}
		}
	}
	mustDo(t, m.Macros(library.CodeConn, "_", "client.example [192.0.2.1]"))
	want(library.ActContinue)(m.Conn("client.example", library.FamilyInet, 40000, "192.0.2.1"))
	want(library.ActContinue)(m.Helo("client.example"))
	mustDo(t, m.Macros(library.CodeMail, "i", "QUEUE1"))
	want(library.ActContinue)(m.Mail("sender@example.org", []string{"SIZE=100"}))
	mustDo(t, m.Macros(library.CodeRcpt, macroMailer, "local", macroStatus, "", macroReason,
		"alice"))
	want(library.ActContinue)(m.Rcpt("alice", nil))
	for n := range 3 {
		mustDo(t, m.Macros(library.CodeRcpt,
			macroMailer, "error", macroStatus, "5.1.1", macroReason, "no"))
		answer := library.ActContinue
		if n == 2 {
			answer = library.ActReplyCode
		}
		want(answer)(m.Rcpt("nobody", []string{"NOTIFY=NEVER"}))
	}
	p.book.await(t, "BADRCPTS client=[192.0.2.1]:40000", "bad=3/3", "good=1", "queue=QUEUE1")
}
