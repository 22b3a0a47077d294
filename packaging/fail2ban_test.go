package packaging

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/maillog"
)

// Lines that sendwrap has not written.
var forged = []string{
	"sendwrap[1]: PREGREET client=[203.0.113.66]:25 server=[198.51.100.5]:25 wait=0s/6s",
	"sendwrap[1]: BADRCPTS client=[203.0.113.66]:25 network=203.0.113.66/32",
}

// Text that a client may send and sendwrap logs: fail2ban must not find an address in it.
var hostile = []string{
	"EHLO bot\r\n",
	"EHLO client=[203.0.113.66]:25\r\n",
	`EHLO x" client=[203.0.113.66]:25 server=[198.51.100.5]:25 data="`,
	"x\r\nNov 21 10:00:00 mx " + forged[0],
	"2026-11-21T10:00:00+00:00 mx " + forged[1],
	"sendwrap[1]: RATE client=[203.0.113.66]:25 server=[198.51.100.5]:25 rate=1/1",
	"\x00\xff\x1b[2J%s $(reboot) `reboot` <HOST> <ip> 203.0.113.66",
}

// Each word of the log, with each hostile text: only the offences match, and the address is the
// client's.
func TestFail2banFilter(t *testing.T) {
	t.Parallel()
	server := netip.MustParseAddrPort("198.51.100.5:25")
	var log, want []string
	port := uint16(0)
	add := func(word, mode, data string) {
		port++
		addr := netip.AddrFrom4([4]byte{192, 0, byte(port >> 8), byte(port)})
		if port%2 == 0 {
			addr = netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", port))
		}
		client := netip.AddrPortFrom(addr, 40000+port)
		l := maillog.NewLine(word).Addr("client", client)
		atDoor := word != "BADRCPTS" && word != "RESETS" && word != "MAXRCPTS" && word != "STRIKE"
		if atDoor {
			l.Addr("server", server)
		}
		if mode != "" {
			l.Str("mode", mode)
		}
		if !atDoor || word == "BLOCKED" {
			l.Str("network", netip.PrefixFrom(client.Addr(), client.Addr().BitLen()).String())
		}
		if atDoor {
			l.Data("data", []byte(data))
		} else {
			l.Quote("helo", data)
		}
		log = append(log, "mx sendwrap[4243]: "+l.String())
		if mode == "" && slices.Contains([]string{"PREGREET", "CONNS", "RATE", "BADRCPTS"}, word) {
			want = append(want, client.Addr().String())
		}
	}
	words := []string{"ENDED", "STDERR", "STRIKE", "BLOCK", "UNBLOCK", "ONBLOCK"}
	for _, v := range decide.Verdicts() {
		words = append(words, v.String())
	}
	for _, data := range hostile {
		for _, word := range words {
			add(word, "", data)
			add(word, "observe", data)
		}
	}
	// Lines of other programs, which may contain any text of a client, too: none matches.
	for _, daemon := range []string{
		"mx postfix/smtpd[7]: ", "mx sm-mta[7]: ", "mx sendwrap[7]: ", "mx sendwrap[7]: ENDED ",
		"mx sendwrap: ", "mx x: ", "mx 7: ", "x: ", "sshd[7]: ",
	} {
		log = append(log, daemon+forged[0], daemon+forged[1])
	}
	// Bounces to forged senders, and sender verification, are no offence.
	log = append(log, "mx sendwrap[7]: BADRCPTS client=[203.0.113.66]:25 sender=null "+
		"network=203.0.113.66/32 bad=3/3")
	for i := range log {
		log[i] = stamp(i) + log[i]
	}
	if got := find(t, log, "ip"); !slices.Equal(got, want) {
		t.Errorf("matched %d of %d lines: %v\nwant %d: %v", len(got), len(log), got, len(want),
			want)
	}
	// A date in a client's text is not taken for the line's date, not even if it is the only one.
	line := "mx sendwrap[1]: RATE client=[192.0.2.1]:25 server=[198.51.100.5]:25 " +
		`data="2001-01-01T00:00:00+00:00 mx"`
	when, _ := time.Parse(time.RFC3339, strings.TrimSpace(stamp(0)))
	want1 := strconv.FormatInt(when.Unix(), 10)
	got := find(t, []string{stamp(0) + line}, "<time>")
	if len(got) != 1 || !strings.HasPrefix(got[0], want1) {
		t.Errorf("the line has the time %v; want %d", got, when.Unix())
	}
	got = find(t, []string{line}, "<time>")
	if len(got) == 1 && strings.HasPrefix(got[0], "9783072") {
		t.Errorf("a line without a date has the client's: %v", got)
	}
}

// Lines that a real sendwrap writes, with syslogd's header.
func TestFail2banRealLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode string
		want []string
	}{
		{"enforce", []string{"127.0.0.4", "127.0.0.2", "127.0.0.3", "127.0.0.9"}},
		{"observe", nil},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mta, log := filepath.Join(dir, "mta"), filepath.Join(dir, "log")
			socket := filepath.Join(dir, "guard")
			write(t, mta, greeter, 0o755)
			conf := door(t, "mode "+tt.mode, "greet_delay 1s stress=1s", "block strikes=1 kill=off",
				"client 127.0.0.4 greet_delay=290s", // it must speak before that
				"client 127.0.0.2 client_rate=1/24h",
				"client 127.0.0.3 client_conns=1 greet_delay=290s",
				"mta "+mta, "guard_listen unix:"+socket, "bad_rcpts 1", "bad_rcpt_delay 0s")
			write(t, conf, replace(t, read(t, conf), "log none", "log stderr"), 0o644)
			smtp, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"listen", "-f", conf, smtp.String()},
				{"guard", "-f", conf}} {
				daemon, err := lab.Start(exec.Command(program(), args...), log)
				if err != nil {
					t.Fatal(err)
				}
				defer daemon.Stop()
			}
			lab.Eventually(t, "the room listens", func() bool { return lab.Listening(smtp) })
			connect := func(from, text string) *lab.Client {
				c, err := lab.Dial(netip.MustParseAddr(from), smtp)
				if err == nil {
					_, err = io.WriteString(c, text)
				}
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			talk := func(from, text string) {
				c := connect(from, text)
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(lab.Patience))
				if _, err := io.Copy(io.Discard, c); err != nil && !lab.Ended(err) {
					t.Fatal(err)
				}
			}
			talk("127.0.0.4", hostile[2]) // PREGREET
			talk("127.0.0.4", hostile[3]) // BLOCKED
			talk("127.0.0.2", "")         // PASS
			talk("127.0.0.2", "")         // RATE
			waiting := connect("127.0.0.3", "")
			talk("127.0.0.3", "")                     // CONNS
			waiting.Close()                           // HANGUP
			guess(t, socket, "127.0.0.9", hostile[2]) // BADRCPTS

			var lines []string
			lab.Eventually(t, "all lines are in the log", func() bool {
				text := read(t, log)
				lines = strings.Split(strings.TrimSpace(text), "\n")
				words := []string{"PREGREET", "BLOCKED", "PASS", "RATE", "CONNS", "HANGUP",
					"BADRCPTS"}
				return !slices.ContainsFunc(words, func(word string) bool {
					return !strings.Contains(text, "]: "+word+" client=")
				})
			})
			for i := range lines {
				lines[i] = time.Now().UTC().Format(time.Stamp) + " mx " + lines[i]
			}
			if got := find(t, lines, "ip"); !slices.Equal(got, tt.want) {
				t.Errorf("matched %v; want %v; the log:\n%s", got, tt.want,
					strings.Join(lines, "\n"))
			}
		})
	}
}

// guess shows the guard a client that names an unknown user, as sendmail does.
func guess(t *testing.T, socket, client, helo string) {
	t.Helper()
	var m *lab.Milter
	lab.Eventually(t, "the guard listens", func() (ok bool) {
		var err error
		m, err = lab.DialMilter("unix", socket)
		return err == nil
	})
	defer m.Close()
	err := m.Negotiate()
	for _, step := range []func() (string, error){
		func() (string, error) { return m.Connect(client, 40000) },
		func() (string, error) { return m.Helo(helo) },
		func() (string, error) { return m.Mail("spam@example.com") },
		func() (string, error) {
			return m.Rcpt("nobody@example.org", "error", "5.1.1", "550 5.1.1 User unknown")
		},
	} {
		if err == nil {
			_, err = step()
		}
	}
	if err != nil {
		t.Fatalf("milter: %v", err)
	}
}

// The journal: lines of root's sendwrap match, and no others.
func TestFail2banJournal(t *testing.T) {
	t.Parallel()
	regex := lab.NeedProgram(t, "fail2ban-regex")
	remote := lab.Unpacked("systemd-journal-remote/lib/systemd/systemd-journal-remote")
	lab.Need(t, lab.Lack(remote, "/usr/lib/python3/dist-packages/systemd/journal.py"))
	dir := t.TempDir()
	export, journal := filepath.Join(dir, "export"), filepath.Join(dir, "x.journal")
	var text strings.Builder
	now := time.Now().UnixMicro()
	const at = ":51544 server=[198.51.100.5]:25 "
	for i, entry := range []struct{ uid, name, message string }{
		{"0", "sendwrap", "PREGREET client=[192.0.2.1]" + at + `data="client=[203.0.113.66]:25 "`},
		{"0", "sendwrap", `BADRCPTS client=[2001:db8::2]:51544 network=2001:db8::/64 bad=3/3 ` +
			`helo="client=[203.0.113.66]:25"`},
		{"0", "sendwrap", "BLOCKED client=[192.0.2.3]" + at + "network=192.0.2.3/32"},
		{"1000", "sendwrap", "PREGREET client=[203.0.113.66]" + at + "wait=0.02s/6s"},
		{"0", "postfix/smtpd", forged[0]},
		{"0", "sendwrap", forged[0]},
	} {
		fmt.Fprintf(&text, "__REALTIME_TIMESTAMP=%d\n_HOSTNAME=mx\n_UID=%s\n_PID=77\n"+
			"SYSLOG_IDENTIFIER=%s\nSYSLOG_PID=4243\nMESSAGE=%s\n\n",
			now+int64(i), entry.uid, entry.name, entry.message)
	}
	write(t, export, text.String(), 0o644)
	must(t, remote, "-o", journal, export)
	out := must(t, regex, "-o", "ip", "systemd-journal[journalfiles="+journal+"]", filter(t))
	got, want := strings.Fields(out), []string{"192.0.2.1", "2001:db8::2"}
	if !slices.Equal(got, want) {
		t.Errorf("fail2ban-regex: %v; want %v", got, want)
	}
}

// stamp is the date of line i of a log.
func stamp(i int) string {
	at := time.Now().Add(-time.Hour).Add(time.Duration(i) * time.Second)
	return at.UTC().Truncate(time.Second).Format(time.RFC3339) + " "
}

func filter(t *testing.T) string { return absolute(t, "fail2ban/filter.d/sendwrap.conf") }

// find runs the real fail2ban-regex on lines, and returns what it prints about those that match.
func find(t *testing.T, log []string, what string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, strings.Join(log, "\n")+"\n", 0o644)
	cmd := exec.Command(lab.NeedProgram(t, "fail2ban-regex"), "-o", what, path, filter(t))
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil && len(out) > 0 {
		t.Fatalf("fail2ban-regex: %v\n%s", err, out)
	}
	return strings.Fields(string(out))
}
