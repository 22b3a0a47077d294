package wrapper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// The real programs called sendmail are recognized by their content, wherever they are. Those that
// can serve a client are not reported.
func TestUnfit(t *testing.T) {
	link := filepath.Join(t.TempDir(), "sendmail")
	for _, tt := range []struct{ program, want string }{
		{lab.Unpacked("postfix/usr/sbin/sendmail"), "Postfix's, and ends with an error as root; " +
			"write mta /usr/bin/setpriv --reuid=postfix --regid=postfix --clear-groups " +
			"/usr/lib/postfix/sbin/smtpd -S"},
		{lab.Unpacked("courier-mta/usr/sbin/sendmail"),
			"Courier's, and relays mail of every client " +
				"to anywhere; write mta with a script that runs courieresmtpd"},
		{lab.Unpacked("nullmailer/usr/sbin/sendmail"), "nullmailer's, and relays mail of every " +
			"client to anywhere; it only sends mail: install an MTA that receives it"},
		{lab.Unpacked("opensmtpd/usr/sbin/smtpctl"), "OpenSMTPD's, and does not speak SMTP on " +
			"standard input; let OpenSMTPD listen itself"},
		{lab.Unpacked("dma/usr/sbin/dma"), "dma's, and does not speak SMTP on standard input; " +
			"it only sends mail: install an MTA that receives it"},
		{lab.Unpacked("msmtp/usr/bin/msmtp"),
			"msmtp's, and does not speak SMTP on standard input; "},
		{lab.Unpacked("esmtp/usr/bin/esmtp"),
			"esmtp's, and does not speak SMTP on standard input; "},
		{lab.Unpacked("ssmtp/usr/sbin/ssmtp"),
			"sSMTP's, and does not speak SMTP on standard input; "},
		{lab.Sendmail, ""},
		{lab.Unpacked("exim4-daemon-light/usr/sbin/exim4"), ""},
		{lab.Unpacked("mailfront/usr/sbin/mailfront"), ""},
		{lab.Unpacked("postfix/usr/lib/postfix/sbin/smtpd"), ""},
		{"/bin/true", ""},
	} {
		t.Run(tt.program, func(t *testing.T) {
			lab.Need(t, lab.Lack(tt.program))
			_ = os.Remove(link)
			if err := os.Symlink(tt.program, link); err != nil {
				t.Fatal(err)
			}
			want := tt.want
			if want != "" {
				want = link + " is " + want
			}
			if got := Unfit([]string{link, "-Am", "-bs"}); !saysSo(got, want) {
				t.Errorf("%v; want %q", got, want)
			}
			if got := Unfit([]string{link, "-Am"}); got != nil {
				t.Errorf("without -bs: %v", got)
			}
		})
	}
}

// Other files are not taken for one of them. What is no file, or could be long, is not read.
func TestUnfitLetsBe(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const of = "\x7fELF nullmailer-inject"
	if err := Unfit([]string{file("is", of), "-bs"}); err == nil {
		t.Error("the test proves nothing")
	}
	for _, path := range []string{
		file("script", "#!/bin/sh\n# not nullmailer-inject\n"),
		file("large", of+strings.Repeat("\x00", largestImpostor)),
		filepath.Join(dir, "missing"), dir, "/dev/zero",
	} {
		if err := Unfit([]string{path, "-bs"}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func saysSo(err error, want string) bool {
	if want == "" || err == nil {
		return want == "" && err == nil
	}
	return strings.HasPrefix(err.Error(), want) &&
		strings.HasSuffix(err.Error(), `; see "Which MTA it is" in OPERATIONS.md`)
}
