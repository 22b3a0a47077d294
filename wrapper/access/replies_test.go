package access

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// TestReplies asks sendmail's daemon, which refuses by the map itself, for the reply that it makes
// of a value. It takes a reply with a percent sign for a format, so that here there is none.
func TestReplies(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(16, 0))}
	values := []string{
		"554 Email directly, not through example.com", "ERROR:5.7.1:550 Mail from spammers",
		`ERROR:5.7.1:"550 Spam, spam; and: spam"`, "450 4.7.1 Try later", "ERROR:450 Try later",
		`ERROR:4.2.1:"421 Later"`, `ERROR:5.7.1:"550 5.7.2 twice"`, "550", "550 5.7.1",
		"ERROR:5.7.1:", "OK then", `""`, `"550 "`, `550 a"b c"d e\"f g" h`, "550 (all) is (here)",
		"550 a)b>c", "550 <a", `550 \! x\!y "a\"b" \"c`, "ERROR:D.S.N:550 x", "550 5.7.1234 x",
		"550 2.7.1 x", "ERROR : 550 x", "550 a;b, c!d",
		"550 {a} ~b #c $d &e *f -g =h |i 'j' `k` ^l ?m",
		"550 5.7.1.1 x", "ERROR:5.7.1:550-text",
	}
	for len(values) < 250 {
		if v := g.refusal(); !strings.Contains(v, "%") {
			values = append(values, v)
		}
	}
	var text strings.Builder
	for i, v := range values {
		fmt.Fprintf(&text, "Connect:127.9.%d.%d\t%s\n", i/250, i%250+1, v)
	}
	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSendmail(t, fmt.Sprintf("DAEMON_OPTIONS(`Port=%d, Addr=%v')dnl\n"+
		"define(`confCONNECTION_RATE_THROTTLE', `0')dnl\n", at.Port(), at.Addr()))
	s.makemap(text.String())
	daemon, err := lab.Start(s.command("-bD"), s.file("output"))
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.KillAll()
	lab.Eventually(t, "sendmail listens", func() bool { return lab.Listening(at) })

	m := Read(text.String())
	for i, v := range values {
		addr := netip.AddrFrom4([4]byte{127, 9, byte(i / 250), byte(i%250 + 1)})
		ours := m.Look(addr)[Connect].Value
		theirs, err := refusal(addr, at)
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if ours.Kind != Text || ours.Reply != theirs {
			t.Errorf("%s\n    we: %v %q\ntheirs:   %q", v, ours.Kind, ours.Reply, theirs)
		}
	}
}

// refusal is what a client that is refused reads: at once, or as it names a sender.
func refusal(from netip.Addr, to netip.AddrPort) (string, error) {
	c, err := lab.Dial(from, to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	greeting, err := c.Reply()
	if err != nil || strings.HasPrefix(greeting, "421") {
		return greeting, err
	}
	return c.Say("MAIL FROM:<>")
}
