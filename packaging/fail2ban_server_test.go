package packaging

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

const settings = `[DEFAULT]
logtarget = DIR/log
socket = DIR/socket
pidfile = DIR/pid
dbfile = DIR/db
allowipv6 = auto
`

const jails = `[sendwrap]
enabled = true
backend = polling
logpath = DIR/maillog
maxretry = 3
bantime = 1h
action = ACTION

[sendmail-auth]
enabled = true
backend = polling
logpath = DIR/maillog
action = ACTION

[prolonged]
enabled = true
filter = sendwrap
backend = polling
logpath = DIR/maillog-2
maxretry = 1
bantime = 15
bantime.increment = true
bantime.multipliers = 1 240
action = ACTION
`

// fail2ban is a real fail2ban in directories of its own, with our files as they are installed.
type fail2ban struct {
	t         *testing.T
	began     time.Time
	dir, conf string
	*lab.Daemon
}

func startFail2ban(t *testing.T) *fail2ban {
	t.Helper()
	f := &fail2ban{t: t, began: time.Now(), dir: t.TempDir(), conf: door(t)}
	if err := os.CopyFS(f.file("etc"), os.DirFS("/etc/fail2ban")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(f.file("etc/jail.d")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(f.file("etc"), os.DirFS("fail2ban")); err != nil {
		t.Fatal(err)
	}
	caller := f.file("sendwrap")
	script := fmt.Sprintf("#!/bin/sh\necho \"$*\" >>%s\nexec %s \"$@\"\n", f.file("calls"),
		program())
	write(t, caller, script, 0o755)
	action := fmt.Sprintf("sendwrap[sendwrap=%s, conf=%s]", caller, f.conf)
	in := strings.NewReplacer("DIR", f.dir, "ACTION", action)
	write(t, f.file("etc/jail.local"), in.Replace(jails), 0o644)
	write(t, f.file("etc/fail2ban.local"), in.Replace(settings), 0o644)
	for _, empty := range []string{"maillog", "maillog-2", "calls"} {
		write(t, f.file(empty), "", 0o644)
	}
	var err error
	f.Daemon, err = lab.Start(f.command("fail2ban-server", "-f", "start"), f.file("output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.KillAll()
		if t.Failed() {
			log, _ := os.ReadFile(f.file("log"))
			t.Logf("fail2ban's output and log:\n%s%s", read(t, f.file("output")), log)
		}
	})
	for _, jail := range []string{"sendwrap", "sendmail-auth", "prolonged"} {
		lab.Eventually(t, "jail "+jail+" runs", func() bool {
			return f.command("fail2ban-client", "status", jail).Run() == nil
		})
	}
	return f
}

func (f *fail2ban) file(name string) string { return filepath.Join(f.dir, name) }

func (f *fail2ban) command(name string, args ...string) *exec.Cmd {
	options := []string{"-c", f.file("etc"), "-s", f.file("socket"), "-p", f.file("pid")}
	return exec.Command(lab.NeedProgram(f.t, name), append(options, args...)...)
}

// client runs fail2ban-client. When it returns, the ban is carried out.
func (f *fail2ban) client(args ...string) {
	f.t.Helper()
	if out, err := f.command("fail2ban-client", args...).CombinedOutput(); err != nil {
		f.t.Fatalf("fail2ban-client %q: %v\n%s", args, err, out)
	}
}

// appendLog appends a line of sendwrap's n times to a log file.
func (f *fail2ban) appendLog(name, line string, n int) {
	f.t.Helper()
	log, err := os.OpenFile(f.file(name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		defer log.Close()
		line = fmt.Sprintf("%s mx sendwrap[1]: %s\n", time.Now().Format(time.Stamp), line)
		_, err = log.WriteString(strings.Repeat(line, n))
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// waitCall waits until fail2ban has called sendwrap with this command and these arguments.
func (f *fail2ban) waitCall(command, args string) {
	f.t.Helper()
	want := fmt.Sprintf("%s -f %s %s\n", command, f.conf, args)
	lab.Eventually(f.t, want, func() bool {
		return strings.Contains(read(f.t, f.file("calls")), want)
	})
}

// waitBlocks waits until the ledger has exactly these blocks: seconds, by network and reason.
func (f *fail2ban) waitBlocks(want map[string]int) {
	f.t.Helper()
	var status struct {
		Blocks []struct {
			Network, Reason string
			Seconds         int
		}
	}
	if !lab.Await(func() bool {
		status.Blocks = nil
		out, err := exec.Command(program(), "status", "-f", f.conf, "-json").Output()
		if err != nil || json.Unmarshal(out, &status) != nil {
			return false // it may fail while fail2ban uses the ledger
		}
		same := len(status.Blocks) == len(want)
		for _, b := range status.Blocks {
			seconds := want[b.Network+" "+b.Reason]
			gone := int(time.Since(f.began).Seconds()) + 1
			same = same && b.Seconds <= seconds && b.Seconds >= seconds-gone
		}
		return same
	}) {
		f.t.Fatalf("blocks %v; want %v", status.Blocks, want)
	}
}

func (f *fail2ban) unban(jail, ip string) {
	f.t.Helper()
	f.client("set", jail, "unbanip", ip)
	f.waitBlocks(nil)
}

// The bans of a real fail2ban become blocks in a real ledger; the end of a ban is the end of the
// block.
func TestFail2banServer(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "fail2ban-server")
	f := startFail2ban(t)

	// 1. The log: the third offence is a ban. BLOCKED does not count, nor does a client that
	// another client names. (fail2ban cannot undo a ban before an action's first ban is carried
	// out. So one comes before.)
	f.client("set", "sendwrap", "banip", "192.0.2.7")
	f.unban("sendwrap", "192.0.2.7")
	const server = "server=[198.51.100.5]:25 "
	f.appendLog("maillog", "BLOCKED client=[192.0.2.8]:1 "+server+"network=192.0.2.8/32", 9)
	f.appendLog("maillog", "RATE client=[192.0.2.9]:1 "+server+
		`data="sendwrap[1]: RATE client=[192.0.2.8]:1 `+server+`"`, 3)
	f.waitBlocks(map[string]int{"192.0.2.9/32 fail2ban-sendwrap": 3600})
	f.unban("sendwrap", "192.0.2.9")

	// 2. The bans of other jails, and the time that sendwrap makes of theirs.
	for _, tt := range []struct {
		bantime, ip, block string
		seconds            int
	}{
		{"900", "192.0.2.10", "192.0.2.10/32", 900},
		{"2678400", "192.0.2.11", "192.0.2.11/32", 31 * 86400},
		{"2678401", "192.0.2.12", "192.0.2.12/32", 31 * 86400},
		{"-1", "2001:db8::1", "2001:db8::/64", 31 * 86400},
	} {
		f.client("set", "sendmail-auth", "bantime", tt.bantime)
		f.client("set", "sendmail-auth", "banip", tt.ip)
		f.waitBlocks(map[string]int{tt.block + " fail2ban-sendmail-auth": tt.seconds})
		f.unban("sendmail-auth", tt.ip)
	}

	// 3. A second ban, which fail2ban prolongs by bantime.increment.
	const again = "CONNS client=[192.0.2.20]:1 " + server
	f.appendLog("maillog-2", again, 1)
	f.waitCall("block -auto", "192.0.2.20 15s fail2ban-prolonged")
	f.waitCall("unblock -auto", "192.0.2.20")
	f.waitBlocks(nil)
	f.appendLog("maillog-2", again, 1)
	f.waitBlocks(map[string]int{"192.0.2.20/32 fail2ban-prolonged": 3600})

	// 4. When fail2ban ends, its bans end.
	f.client("stop")
	if !f.Ends() {
		t.Error("fail2ban-server does not end")
	}
	f.waitBlocks(nil)
}
