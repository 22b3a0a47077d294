package packaging

import (
	"runtime"
	"strings"
	"testing"
)

// Debian and sendmail in ten lines: the lines of OPERATIONS are carried out as they are printed.
// They still hold after sendmail is configured again, restarted and reconfigured by its package,
// and after ours is upgraded, removed and installed again.
func TestDebianInTenLines(t *testing.T) {
	t.Parallel()
	deb(t, runtime.GOARCH) // once for both
	for _, name := range []string{"debian12", "debian13"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDebian(t, name)
			d.must("service sendmail start")
			page := read(t, "../docs/OPERATIONS.md")
			d.hasNoRoom()
			d.hasTenLines(page)
			d.staysAfterSendmail(page)
			d.takesUpgrades()
			d.goesAway()
			if name == "debian12" {
				d.losesSMTP()
			}
		})
	}
}

// hasTenLines carries out the lines.
func (d debian) hasTenLines(page string) {
	d.Helper()
	_, lines, _ := strings.Cut(page, "\n## Debian and sendmail in ten lines\n")
	_, lines, _ = strings.Cut(lines, "\n```sh\n")
	lines, _, closed := strings.Cut(lines, "```\n")
	if n := strings.Count(lines, "\n"); !closed || n != 10 {
		d.Fatalf("OPERATIONS has %d lines:\n%s\nwant ten", n, lines)
	}
	first, others, _ := strings.Cut(lines, "echo ")
	d.must(first)
	d.startsNothing()
	said := d.must("sendwrap check")
	for _, want := range []string{
		"mta: greet_pause of /etc/mail/sendmail.cf: clients wait a second time",
		`note: port 25: it is held by "sendmail-mta" (process `,
	} {
		if !strings.Contains(said, want) {
			d.Errorf("before, check says %q; want %q", said, want)
		}
	}
	d.must("echo " + others)
	d.works("after the ten lines")
	said = d.must("sendwrap doctor")
	if findings := strings.Count(said, "\n  then: "); findings != 1 ||
		!strings.Contains(said, "\nnote: syslog\n") { // there is no syslogd
		d.Errorf("after the ten lines doctor says %s", said)
	}
}

const reconfigure = "dpkg-reconfigure -f noninteractive "

// staysAfterSendmail does with sendmail's package what switches other lines off.
func (d debian) staysAfterSendmail(page string) {
	d.Helper()
	for _, tt := range []struct{ what, lines string }{
		{"the lines for the guard and VRFY, and sendmailconfig",
			"cat >>/etc/mail/sendmail.mc <<'END'\n" +
				indented(d.T, page, "INPUT_MAIL_FILTER(`sendwrap'") +
				indented(d.T, page, "define(`confPRIVACY_FLAGS', defn(") +
				"END\nyes '' | sendmailconfig"},
		{"a restart of sendmail", "service sendmail restart"},
		{"dpkg-reconfigure sendmail-base", reconfigure + "sendmail-base"},
		// It ends whatever is called sendmail, in other tests' roots, too: it sees none.
		{"dpkg-reconfigure sendmail-bin", "service sendmail stop; " +
			"unshare --pid --fork --mount-proc " + reconfigure + "sendmail-bin; " +
			"rm -f /run/sendmail/*/*.pid; service sendmail start"},
	} {
		d.must(tt.lines)
		d.restartInetd()
		d.works("after " + tt.what)
	}
	cf := read(d.T, d.file("etc/mail/sendmail.cf"))
	for _, want := range []string{
		"\nO PrivacyOptions=needmailhelo,", ",authwarnings,novrfy,noexpn\n", "\nXsendwrap, ",
	} {
		if !strings.Contains(cf, want) {
			d.Errorf("sendmail.cf lacks %q", want)
		}
	}
}

// losesSMTP has the obvious line in inetd.conf, and what switches it off.
func (d debian) losesSMTP() {
	d.Helper()
	d.must(again)
	inetd := d.file("etc/inetd.conf")
	const off = "this line is switched off: it starts nothing; remove #<off>#, write 25"
	lost := replace(d.T, read(d.T, inetd), "\n#25\t", "\nsmtp\t")
	for _, tt := range []struct{ lines, want string }{
		{"true", "sendmail's package switches this line off at sendmailconfig and at upgrades; " +
			"write 25"},
		{"yes '' | sendmailconfig", off},
		{reconfigure + "sendmail-base", off},
		{"sed -i '/^DAEMON_MODE=/s/Daemon/none/' /etc/mail/sendmail.conf; service sendmail restart",
			off},
	} {
		write(d.T, inetd, lost, 0o644)
		d.must(tt.lines)
		said := d.must("sendwrap check")
		if !strings.Contains(said, "\nloses mail: /etc/inetd.conf:") ||
			!strings.Contains(said, tt.want) {
			d.Errorf("with smtp in inetd.conf, after %s check says\n%s\nwant %q", tt.lines, said,
				tt.want)
		}
	}
}

// indented returns the line of an indented block of OPERATIONS that begins with begins.
func indented(t *testing.T, text, begins string) string {
	t.Helper()
	_, line, found := strings.Cut(text, "\n    "+begins)
	if !found {
		t.Fatalf("OPERATIONS has no line %s", begins)
	}
	line, _, _ = strings.Cut(line, "\n")
	return begins + line + "\n"
}
