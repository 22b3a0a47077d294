package wrapper

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

const talkConf = "deny 127.0.0.0/8\non_denied talk"

// running is a session that runs beside the test.
type running struct {
	t      *testing.T
	client *net.TCPConn
	reads  *bufio.Reader
	began  time.Time
	ended  chan struct{}
}

func (d *doorway) run(t *testing.T) *running {
	t.Helper()
	s, client := d.enter(t)
	r := &running{t, client, bufio.NewReader(client), time.Now(), make(chan struct{})}
	if err := client.SetReadDeadline(time.Now().Add(lab.Patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		if s.Run() {
			t.Error("it is served")
		}
		unix.Shutdown(s.FD, unix.SHUT_RDWR) // as the process ends
	}()
	return r
}

// hears is what the client reads next, as far as its last line.
func (r *running) hears(want string) {
	r.t.Helper()
	for {
		line, err := r.reads.ReadString('\n')
		switch {
		case err != nil:
			r.t.Fatalf("the client reads %q, %v; want %q", line, err, want)
		case len(line) > 3 && line[3] == '-':
		case !strings.HasPrefix(line, want):
			r.t.Fatalf("the client reads %q; want %q", line, want)
		default:
			return
		}
	}
}

// over waits until the session is over.
func (r *running) over() {
	r.t.Helper()
	if rest, err := r.reads.ReadString('\n'); rest != "" || err == nil {
		r.t.Errorf("the client reads %q besides", rest)
	}
	select {
	case <-r.ended:
	case <-time.After(lab.Patience):
		r.t.Fatal("the session does not end")
	}
}

// While a process talks to a denied client, the client counts as one that waits. Its line in the
// log does not wait for the end.
func TestTalk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, other := open(t, dir, talkConf), open(t, dir, talkConf)
	r := d.run(t)
	r.hears("220 mx.example ")
	if got := d.line(t); !strings.HasPrefix(got, "DENIED client=") ||
		!strings.HasSuffix(got, " network=127.0.0.0/8 reply=550") {
		t.Errorf("log: %q", got)
	}
	if tot := other.totals(t); tot.Waiting != 1 || tot.Serving != 0 ||
		tot.Verdicts[decide.Denied] != 1 {
		t.Errorf("%d wait, %d are served, %d denied", tot.Waiting, tot.Serving,
			tot.Verdicts[decide.Denied])
	}
	fmt.Fprint(r.client, "EHLO client.example\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
	r.hears("250 ")
	r.hears("250 ")
	r.hears("550 5.7.1 mx.example ")
	fmt.Fprint(r.client, "QUIT\r\n")
	r.hears("221 ")
	r.over()
	if tot := d.totals(t); tot.Waiting != 0 {
		t.Errorf("%d wait when it is over", tot.Waiting)
	}
}

// However the dialogue ends, the ledger counts nothing any more.
func TestTalkEnds(t *testing.T) {
	for name, does := range map[string]func(*running){
		"client closes": func(r *running) { r.client.Close() },
		"client resets": func(r *running) { reset(t, r.client) },
		"client ends its half": func(r *running) {
			r.client.CloseWrite()
			r.over()
		},
		"client is silent": func(r *running) {
			r.hears("421 4.7.0 ")
			if took := time.Since(r.began); took < talkTime {
				r.t.Errorf("it was heard for %v; want %v", took, talkTime)
			}
			r.over()
		},
		"client sends without end": func(r *running) {
			go func() {
				for flood := make([]byte, 1<<16); ; {
					if _, err := r.client.Write(flood); err != nil {
						return
					}
				}
			}()
			r.hears("421 4.7.0 ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "", talkConf)
			r := d.run(t)
			r.t = t
			r.hears("220 ")
			does(r)
			select {
			case <-r.ended:
			case <-time.After(lab.Patience):
				t.Fatal("the session does not end")
			}
			if tot := d.totals(t); tot.Waiting != 0 {
				t.Errorf("%d wait when it is over", tot.Waiting)
			}
		})
	}
}

// If too many wait or are talked to, or too many of its network, or without a ledger, a client gets
// only 554. The dead do not count.
func TestTalkGivesWay(t *testing.T) {
	dead := func(d *doorway) {
		child := exec.Command("sleep", "600")
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		p, err := ledger.Identify(child.Process.Pid)
		_ = child.Process.Kill()
		_ = child.Wait()
		if err != nil {
			t.Fatal(err)
		}
		_ = d.Ledger.Run(func(t *ledger.Tx) {
			from := netip.MustParseAddrPort("127.0.0.7:4000")
			t.Enter(d.arrival(from, &decide.Limits{}), p)
		})
	}
	for _, tt := range []struct {
		name, conf string
		before     func(*doorway)
		want       string
	}{
		{"nobody waits", "max_waiting 5", func(*doorway) {}, "220 "},
		{"a fifth waits", "max_waiting 5", waiting("127.0.0.9"), "554 "},
		{"less than a fifth waits", "max_waiting 6", waiting("127.0.0.9"), "220 "},
		{"a fifth is dead", "max_waiting 5", dead, "220 "},
		{"others are served", "max_waiting 5", serving("127.0.0.9"), "220 "},
		{"its network has its share", "client_conns 1", waiting("127.0.0.1"), "554 "},
		{"there is no ledger", "", func(d *doorway) { _ = d.Ledger.Close() }, "554 "},
		{"nothing is said of it", "on_denied close", nil, "554 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conf := talkConf + "\n" + tt.conf
			if tt.before == nil {
				conf = "deny 127.0.0.0/8\n" + tt.conf
				tt.before = func(*doorway) {}
			}
			d := open(t, "", conf)
			tt.before(d)
			r := d.run(t)
			r.hears(tt.want)
			want := "reply=" + strings.Replace(tt.want, "220 ", "550 ", 1)
			if got := d.line(t) + " "; !strings.HasSuffix(got, want) {
				t.Errorf("log: %q; want %s", got, want)
			}
			r.client.Close()
			<-r.ended
		})
	}
}
