package guard

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sendwrap/tests/lab"
)

func startPostfixSender(x *sending) {
	t := x.t
	lab.Need(t, lab.NoPostfix())
	inject := netip.AddrPortFrom(addr("127.0.0.1"), uint16(20000+ports.Add(1)))
	level := map[bool]string{false: "none", true: "may"}[x.way.tls]
	site := lab.PostfixSite{Dir: x.dir, Main: []string{
		"syslog_name = " + x.tag,
		"myhostname = client.test",
		"mydestination =",
		"mynetworks = 127.0.0.0/8",
		fmt.Sprintf("relayhost = [%v]:%d", x.to().Addr(), x.to().Port()),
		fmt.Sprintf("smtp_bind_address = %v", x.from),
		"smtp_host_lookup = native",
		"disable_dns_lookups = yes",
		"smtp_tls_security_level = " + level,
		// It tries again soon.
		"queue_run_delay = 3s", "minimal_backoff_time = 3s", "maximal_backoff_time = 3s",
		"in_flow_delay = 0",
	}, Master: append([]string{
		inject.String() + " inet n - n - - smtpd",
		"smtp unix - - n - - smtp",
		"scache unix - - n - 1 scache",
	}, lab.PostfixServices...)}
	if err := site.Make(); err != nil {
		t.Fatal(err)
	}
	var d *lab.Daemon
	var err error
	abroad.Do(func() { d, err = lab.Start(site.Command(), filepath.Join(x.dir, "out")) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.KillAll)
	x.submit = func(text string, rcpts []string) { x.inject(inject, text, rcpts) }
	x.fate = regexp.MustCompile(`to=(?P<rcpts><[^>]+>), ` +
		`relay.*status=(?P<fate>sent|bounced|deferred)`)
}

// inject gives the sender a message by SMTP, as soon as it listens there.
func (x *sending) inject(at netip.AddrPort, text string, rcpts []string) {
	var c *lab.Client
	lab.Eventually(x.t, "it takes mail", func() (up bool) {
		abroad.Do(func() {
			var err error
			c, err = lab.Dial(at.Addr(), at)
			up = err == nil
		})
		return up
	})
	defer c.Close()
	in := &client{c, x.t}
	in.reply()
	in.expect("250", "EHLO client.test")
	in.expect("250", "MAIL FROM:"+x.as)
	for _, rcpt := range rcpts {
		in.expect("250", "RCPT TO:<"+rcpt+">")
	}
	in.expect("354", "DATA")
	in.expect("250", strings.ReplaceAll(text, "\n", "\r\n")+".")
	in.expect("221", "QUIT")
}

func startOpenSMTPDSender(x *sending) {
	t := x.t
	lab.Need(t, lab.NoOpenSMTPD())
	inject := netip.AddrPortFrom(addr("127.0.0.1"), uint16(20000+ports.Add(1)))
	site := lab.OpenSMTPDSite{Dir: x.dir, Inject: inject, To: x.to(), From: x.from, TLS: x.way.tls}
	if err := site.Make(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(x.dir, "out")
	var d *lab.Daemon
	var err error
	abroad.Do(func() { d, err = lab.Start(site.Command(), out) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.KillAll)
	x.submit = func(text string, rcpts []string) { x.inject(inject, text, rcpts) }
	x.lines = func() []string {
		text, _ := os.ReadFile(out)
		return strings.Split(string(text), "\n")
	}
	x.fate = regexp.MustCompile(` mta delivery .* to=(?P<rcpts><[^>]+>) ` +
		`.*result="(?P<fate>Ok|PermFail|TempFail)"`)
}

func startEximSender(x *sending) {
	t := x.t
	lab.Need(t, lab.NoExim())
	site := lab.EximSite{Dir: x.dir, To: x.to(), From: x.from}
	err := site.Make()
	if err == nil && !x.way.tls {
		err = edit(site.Conf(), "hosts_try_fastopen =\n",
			"hosts_try_fastopen =\nhosts_avoid_tls = *\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	x.submit = func(text string, rcpts []string) {
		x.run(text, exec.Command(site.Program(),
			append([]string{"-C", site.Conf(), "-odi", "-oi", "-f", x.as}, rcpts...)...))
	}
	x.again = func() { x.run("", exec.Command(site.Program(), "-C", site.Conf(), "-qff")) }
	x.lines = func() []string {
		text, _ := os.ReadFile(site.Log())
		return strings.Split(string(text), "\n")
	}
	x.fate = regexp.MustCompile(` (?P<fate>=>|->|\*\*|==) (?P<rcpts>\S+@\S+)`)
}

// edit replaces text in a file, which must have it.
func edit(name, old, text string) error {
	b, err := os.ReadFile(name)
	if err == nil && !strings.Contains(string(b), old) {
		err = fmt.Errorf("%s: no %q", name, old)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strings.ReplaceAll(string(b), old, text)), 0o644)
}

func startSendmailSender(x *sending) {
	t := x.t
	lab.Need(t, lab.NoSendmail())
	extras := fmt.Sprintf("define(`confDOMAIN_NAME', `client.test')dnl\n"+
		"define(`SMART_HOST', `esmtp:[%v]')dnl\n"+
		"CLIENT_OPTIONS(`Family=inet, Addr=%v')dnl\n", x.to().Addr(), x.from)
	if !x.way.tls {
		extras += "LOCAL_TRY_TLS\nR$*\t\t$#error $@ 5.7.1 $: \"550 no TLS here\"\n"
	}
	site := lab.SendmailSite{Dir: x.dir, Extras: extras}
	err := site.Make()
	if err == nil {
		err = edit(site.CF(), "A=TCP $h\n", fmt.Sprintf("A=TCP $h %d\n", x.to().Port()))
	}
	if err != nil {
		t.Fatal(err)
	}
	// The machine's own name, which is the site's, must not be its own name.
	run := func(input string, args ...string) {
		script := `hostname client.test && exec "$@"`
		argv := append([]string{"--uts", "sh", "-c", script, "sh", lab.Sendmail,
			"-C", site.CF(), "-L", x.tag}, args...)
		x.run(input, exec.Command("unshare", argv...))
	}
	x.submit = func(text string, rcpts []string) {
		run(text, append([]string{"-odi", "-oi", "-f", x.as}, rcpts...)...)
	}
	x.queue = func(text string, rcpts []string) {
		run(text, append([]string{"-odq", "-oi", "-f", x.as}, rcpts...)...)
	}
	x.again = func() { run("", "-qf") }
	x.fate = regexp.MustCompile(`: to=(?P<rcpts>\S+), .*mailer=esmtp.*, ` +
		`(?:stat=(?P<fate>Sent|Deferred)|dsn=5)`)
}
