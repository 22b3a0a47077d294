package report

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The program sendmail beside the MTA gets a message with both forms, and its errors are passed on.
func TestMail(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" >" + dir + "/args\ncat >" + dir + "/mail\n" +
		"test ! -e " + dir + "/full || { echo no space >&2; exit 75; }\n" +
		"test ! -e " + dir + "/mute || exit 67\n"
	if err := os.WriteFile(filepath.Join(dir, "sendmail"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := readLogs(t, putWeek(t))
	text := textOf(t, r) // which names the log
	if err := r.Mail("postmaster", filepath.Join(dir, "qmail-smtpd"), weekEnd); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "mail"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mail.ReadMessage(f)
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" || m.Header.Get("To") != "postmaster" ||
		!strings.Contains(m.Header.Get("Subject"), "505 of 1,076") {
		t.Errorf("%v: %v", err, m.Header)
	}
	var html bytes.Buffer
	if err := r.HTML(&html); err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{text, html.String()} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil || string(got) != want {
			t.Errorf("%v: %s is not the report", err, p.Header.Get("Content-Type"))
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("a third part: %v", err)
	}

	for _, failure := range []struct{ name, want string }{
		{"mute", "sendmail: exit status 67: the mail log has the reason"},
		{"full", "no space"},
	} {
		put(t, filepath.Join(dir, failure.name), nil, weekEnd)
		err = r.Mail("postmaster", filepath.Join(dir, "qmail-smtpd"), weekEnd)
		if err == nil || !strings.Contains(err.Error(), failure.want) {
			t.Errorf("sendmail failed: %v; want %q", err, failure.want)
		}
	}
	for _, wrong := range []string{"", "-oX", "a b@c", "a@b\nBcc: c@d", "a@b,c@d", "<a@b>", "@",
		strings.Repeat("a", 251) + "@b.c"} {
		if CheckAddress(wrong) == nil || r.Mail(wrong, dir+"/x", weekEnd) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	for _, right := range []string{"root", "a@example.org", "a+b@[192.0.2.1]",
		strings.Repeat("a", 250) + "@b.c"} {
		if err := CheckAddress(right); err != nil {
			t.Error(err)
		}
	}
}

// Silence where nothing happened.
func TestQuiet(t *testing.T) {
	line := clock + " mx sendwrap[1]: "
	for text, want := range map[string]bool{
		"":                 true,
		line + pass + "\n": true,
		line + "HANGUP client=[192.0.2.1]:5 server=[::1]:25 wait=1s/6s\n":                 true,
		line + "DENIED client=[192.0.2.1]:5 server=[::1]:25\n":                            false,
		line + "DENIED client=[192.0.2.1]:5 server=[::1]:25 mode=observe rule=x\n":        false,
		line + "BADRCPTS client=[192.0.2.1]:5 network=192.0.2.1/32 bad=3/3\n":             false,
		line + "BLOCK network=192.0.2.0/24 for=1h\n":                                      false,
		line + "/etc/sendwrap.conf: configuration reloaded\n":                             true,
		line + "guard: listening on /run/guard\n" + line + "guard: ended\n":               true,
		line + "share: valkey 8 answers; this machine is mx1\n" + line + "share: ended\n": true,
		line + "the machine has rebooted: 3 earlier sessions are forgotten\n":             true,
		line + "a new program has taken over 7 clients and 2 sessions\n":                  true,
		line + "share: the engine does not answer\n":                                      false,
		line + "the ledger is full\n":                                                     false,
		line + "ENDED client=[192.0.2.1]:5 server=[::1]:25 after=3s signal=15\n":          true,
		line + "ENDED client=[192.0.2.1]:5 server=[::1]:25 after=3s signal=11\n":          false,
	} {
		if got := readText(t, text).Quiet(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	dir := t.TempDir()
	log := put(t, filepath.Join(dir, "log"), []byte(line+pass+"\n"), weekEnd)
	if !readLogs(t, log).Quiet() || readLogs(t, log, filepath.Join(dir, "gone")).Quiet() {
		t.Error("a log that cannot be read is no trouble")
	}
}

// What a client or a file chooses is text in the page, and not a part of it.
func TestHTMLEscapes(t *testing.T) {
	o, err := ReadOrigins(strings.NewReader("192.0.2.0/24 1 <script>alert(1)</script>\n"))
	if err != nil {
		t.Fatal(err)
	}
	text := clock + " mx sendwrap[1]: DENIED client=[192.0.2.1]:5 server=[::1]:25\n" +
		clock + " mx sendwrap[1]: <script>x</script>\n" +
		clock + " mx sendwrap[1]: PREGREET client=[192.0.2.1]:5 server=[::1]:25 kind=<b> left=1h\n"
	from := Options{Sources: named("-"), AS: o}
	from.Stdin = strings.NewReader(text)
	r, err := Read(from)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>") ||
		!strings.Contains(page, "AS1 &lt;script&gt;") || strings.Contains(page, "http:") ||
		strings.Contains(page, "https:") {
		t.Error(page)
	}
}
