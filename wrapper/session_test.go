package wrapper

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// Each verdict with its reply, its log line and its count. In the log line WAIT stands for the time
// waited, and LEFT for what is left of a block: both are checked separately.
func TestSession(t *testing.T) {
	const quick = "greet_delay 100ms stress=100ms\n"
	const long = "greet_delay 290s stress=290s\n" // which ends when the client speaks or leaves
	tests := []struct {
		name, conf string
		before     func(*doorway) // what has happened already
		behave     func(*net.TCPConn)
		want       decide.Verdict
		served     bool
		reply      string // prefix of it
		log        string // after the two addresses
	}{
		{"deny", quick + "deny 127.0.0.0/8", nil, nil, decide.Denied, false, "554 5.7.1 ",
			"rule=CONF:2 network=127.0.0.0/8 reply=554"},
		{"allow", quick + "allow 127.0.0.1", nil, nil, decide.Allowed, true, "",
			"rule=CONF:2 network=127.0.0.1/32 conns=1/-"},
		{"allow lets an early talker through", quick + "allow 127.0.0.1", nil, speak,
			decide.Allowed, true, "", "rule=CONF:2 network=127.0.0.1/32 conns=1/-"},
		{"block", quick, blockLoopback("127.0.0.1/32"), nil, decide.Blocked, false, "421 4.7.1 ",
			"network=127.0.0.1/32 left=LEFT reason=test reply=421"},
		{"block of a wide network", quick, blockLoopback("127.0.0.0/24"), nil, decide.Blocked,
			false, "421 4.7.1 ", "network=127.0.0.0/24 left=LEFT reason=test reply=421"},
		{"block of another", quick, blockLoopback("127.0.1.0/24"), nil, decide.Pass, true, "",
			"wait=WAIT/0.10s conns=1/50"},
		{"sessions", quick + "max_sessions 1", serving("127.0.0.9"), nil, decide.Busy, false,
			"421 4.3.2 ", "serving=1/1 waiting=0/1000 reply=421"},
		{"waiting", quick + "max_waiting 1", waiting("127.0.0.9"), nil, decide.Busy, false,
			"421 4.3.2 ", "serving=0/300 waiting=1/1 reply=421"},
		{"known does not mind who waits", quick + "max_waiting 1", both(waiting("127.0.0.9"),
			known), nil, decide.Known, true, "", "conns=1/50"},
		{"conns", quick + "client_conns 2", both(waiting("127.0.0.1"), serving("127.0.0.1")), nil,
			decide.Conns, false, "421 4.7.0 ", "conns=2/2 reply=421"},
		{"conns of another", quick + "client_conns 2", both(waiting("127.0.0.2"),
			serving("127.0.0.3")), nil, decide.Pass, true, "", "wait=WAIT/0.10s conns=1/2"},
		{"conns together", quick + "client_conns 2\ncount_by 24 64", both(waiting("127.0.0.2"),
			serving("127.0.0.3")), nil, decide.Conns, false, "421 4.7.0 ", "conns=2/2 reply=421"},
		{"rate", quick + "client_rate 1/1h", waiting("127.0.0.1"), nil, decide.Rate, false,
			"421 4.7.0 ", "rate=1/1 per=1h reply=421"},
		{"known", quick, known, nil, decide.Known, true, "", "conns=1/50"},
		{"known and talks early", quick, known, speak, decide.Pregreet, false, "421 4.5.1 ",
			`wait=WAIT/0s conns=1/50 reply=421 hint="` + decide.Hint(decide.Reason(policy.Ehlo)) +
				`" kind=ehlo bytes=10 data="EHLO bot\r\n"`},
		{"blocked for talking early", quick + "block strikes=1", earlyTalk, nil, decide.Blocked,
			false, "421 4.7.1 ",
			"network=127.0.0.2/32 left=LEFT reason=pregreet:proxy reply=421 hint=\"" +
				decide.Hint(decide.Reason(policy.Proxy)) + "\""},
		{"known and gone", quick, known, leave, decide.Hangup, false, "",
			"wait=WAIT/0s conns=1/50"},
		{"nobody is known", quick + "remember 0", known, nil, decide.Pass, true, "",
			"wait=WAIT/0.10s conns=1/50"},
		{"has left often", long, hungUp(3, 100*time.Second), nil, decide.Pass, true, "",
			"conns=1/50 hangups=3"},
		{"has left often, and leaves", long, hungUp(3, 100*time.Second), leave, decide.Hangup,
			false, "", "wait=WAIT/0s conns=1/50 hangups=3"},
		{"has left often, and talks early", long, hungUp(4, 100*time.Second), speak,
			decide.Pregreet, false, "554 5.5.1 ", `wait=WAIT/0s conns=1/50 hangups=4 strikes=1/3 ` +
				`reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`},
		{"hangup", long, nil, leave, decide.Hangup, false, "", "wait=WAIT/4m50s conns=1/50"},
		{"pregreet", long, nil, speak, decide.Pregreet, false, "554 5.5.1 ", `wait=WAIT/4m50s ` +
			`conns=1/50 strikes=1/3 reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`},
		{"pregreet, tempfail", long + "on_pregreet tempfail", nil, speak, decide.Pregreet, false,
			"421 4.5.1 ", `wait=WAIT/4m50s conns=1/50 strikes=1/3 reply=421 kind=ehlo bytes=10 ` +
				`data="EHLO bot\r\n"`},
		{"pregreet, drop", long + "on_pregreet drop", nil, speak, decide.Pregreet, false, "",
			`wait=WAIT/4m50s conns=1/50 strikes=1/3 reply=none kind=ehlo bytes=10 data="EHLO ` +
				`bot\r\n"`},
		{"pass", quick, nil, nil, decide.Pass, true, "", "wait=WAIT/0.10s conns=1/50"},
		{"no delay for its network", quick + "client 127.0.0.0/8 greet_delay=0s client_conns=0",
			nil, nil, decide.Pass, true, "", "conns=1/-"},
		{"observed", long + "mode observe", nil, speak, decide.Pregreet, true, "", `mode=observe ` +
			`wait=WAIT/4m50s conns=1/50 strikes=1/3 kind=ehlo bytes=10 data="EHLO bot\r\n"`},
		{"observed deny", quick + "mode observe\ndeny 127.0.0.1", nil, nil, decide.Denied, true, "",
			"mode=observe rule=CONF:3 network=127.0.0.1/32"},
		{"observed hangup", long + "mode observe", nil, leave, decide.Hangup, false, "",
			"mode=observe wait=WAIT/4m50s conns=1/50"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "", tt.conf)
			if tt.want == decide.Pregreet || tt.name == "blocked for talking early" {
				d.from = stranger
			}
			if tt.before != nil {
				tt.before(d)
			}
			before := d.totals(t)
			s, client, served := d.meet(t, tt.behave)
			if s.Verdict != tt.want || served != tt.served {
				t.Errorf("%v, served %v; want %v, %v", s.Verdict, served, tt.want, tt.served)
			}
			if !served && s.Verdict != decide.Hangup {
				unix.Shutdown(s.FD, unix.SHUT_RDWR)
				if got := readAll(t, client); !strings.HasPrefix(got, tt.reply) ||
					(got == "") != (tt.reply == "") {
					t.Errorf("client has read %q, want %q…", got, tt.reply)
				}
			}
			want := strings.ReplaceAll(tt.log, "CONF",
				filepath.Join(filepath.Dir(d.Policy.Ledger.Path), "conf"))
			want = strings.ReplaceAll(want, "WAIT", shown(s.waited))
			want = strings.ReplaceAll(want, "LEFT", shown(s.facts().BlockLeft))
			want = s.line().String() + " " + want
			if tt.behave == nil && s.waited < s.delay || s.waited > lab.Patience {
				t.Errorf("waited for %v; the greet delay is %v", s.waited, s.delay)
			}
			if left := s.facts().BlockLeft; tt.want == decide.Blocked &&
				(left < time.Hour-lab.Patience || left > time.Hour) {
				t.Errorf("%v of the block are left; it began just now, for an hour", left)
			}
			if got := d.line(t); got != want {
				t.Errorf("log line\n     %s\nwant %s", got, want)
			}
			after := d.totals(t)
			for _, v := range decide.Verdicts() {
				if n := after.Verdicts[v] - before.Verdicts[v]; (n != 0) != (v == tt.want) ||
					n > 1 {
					t.Errorf("%v was counted %d times", v, n)
				}
			}
			live := after.Serving + after.Waiting - before.Serving - before.Waiting
			if want := tt.served && tt.want.Served(); (live == 1) != want {
				t.Errorf("%d sessions more than before; served %v", live, served)
			}
		})
	}
}

// shown is a duration as the log has it.
func shown(d time.Duration) string {
	_, text, _ := strings.Cut(maillog.NewLine("").Dur("d", d).String(), "=")
	return text
}

// A client that speaks early three times is blocked. To leave is no offence.
func TestCareer(t *testing.T) {
	d := open(t, "", "greet_delay 50ms stress=50ms")
	d.from = stranger
	want := []struct {
		behave func(*net.TCPConn)
		v      decide.Verdict
	}{
		{leave, decide.Hangup}, {leave, decide.Hangup}, {leave, decide.Hangup}, {leave,
			decide.Hangup},
		{speak, decide.Pregreet}, {speak, decide.Pregreet}, {leave, decide.Hangup}, {speak,
			decide.Pregreet}, {nil, decide.Blocked}, {speak, decide.Blocked},
	}
	for i, w := range want {
		if s, _, _ := d.meet(t, w.behave); s.Verdict != w.v {
			t.Errorf("visit %d: %v, want %v", i, s.Verdict, w.v)
		}
		d.line(t)
	}
}

// Of many that come at once exactly as many get in as the limit says. A client that cannot have the
// ledger in time is let in without: if that happens, the test starts again with fewer.
func TestConnsAreExact(t *testing.T) {
	const limit, tries = 5, 40
	clients := 60
	for range tries {
		in, out, unasked := crowd(t, clients, fmt.Sprintf("client_conns %d", limit))
		if unasked > 0 {
			t.Logf("%d of %d did not get the ledger in time", unasked, clients)
			clients = max(clients*2/3, limit+1)
			continue
		}
		if in != limit || out != int64(clients-limit) {
			t.Errorf("%d got in and %d did not; want %d and %d", in, out, limit, clients-limit)
		}
		return
	}
	t.Errorf("in %d tries not all got the ledger in time", tries)
}

// crowd has clients come at once, and counts those that got in, those that were too many, and those
// that were decided about without the ledger.
func crowd(t *testing.T, clients int, conf string) (in, out, unasked int64) {
	dir := t.TempDir()
	var counts [3]atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range clients {
		d := open(t, dir, "greet_delay 500ms stress=500ms\nremember 0\n"+conf)
		wg.Go(func() {
			<-start
			s, _, served := d.meet(t, nil)
			if line := d.line(t); strings.Contains(line, withoutLedger) {
				counts[2].Add(1)
				return
			}
			switch {
			case served && s.Verdict == decide.Pass:
				counts[0].Add(1)
			case s.Verdict == decide.Conns:
				counts[1].Add(1)
			default:
				t.Errorf("%v", s.Verdict)
			}
		})
	}
	close(start)
	wg.Wait()
	return counts[0].Load(), counts[1].Load(), counts[2].Load()
}

// Without a ledger all clients wait, none is counted, and the log says why.
func TestWithoutLedger(t *testing.T) {
	d := open(t, "", "greet_delay 100ms stress=100ms\nclient_conns 1")
	if err := os.Truncate(d.Policy.Ledger.Path, 0); err != nil {
		t.Fatal(err)
	}
	for _, want := range []decide.Verdict{decide.Pass, decide.Pass} {
		if s, _, served := d.meet(t, nil); s.Verdict != want || !served {
			t.Errorf("%v, served %v", s.Verdict, served)
		}
	}
	if s, _, _ := d.meet(t, speak); s.Verdict != decide.Pregreet {
		t.Errorf("early talker: %v", s.Verdict)
	}
	got := d.line(t)
	if !strings.Contains(got, "truncated") || !strings.Contains(got, withoutLedger) {
		t.Errorf("log line %q", got)
	}
}

// A client that we cannot serve after all gets a temporary error, and is not counted any more.
func TestFail(t *testing.T) {
	d := open(t, "", "greet_delay 0s stress=0s")
	s, client, served := d.meet(t, nil)
	if !served {
		t.Fatal(s.Verdict)
	}
	d.line(t)
	s.Fail(&os.PathError{Op: "exec", Path: "/nowhere", Err: unix.ENOENT})
	s.Refuse()
	unix.Shutdown(s.FD, unix.SHUT_RDWR)
	if got := readAll(t, client); !strings.HasPrefix(got, "421 4.3.0 mx.example ") {
		t.Errorf("client has read %q", got)
	}
	const end = ` reply=421 error="exec /nowhere: no such file or directory"`
	if got := d.line(t); !strings.HasPrefix(got, "FAILED ") || !strings.HasSuffix(got, end) {
		t.Errorf("log line %q", got)
	}
	if tot := d.totals(t); tot.Serving+tot.Waiting != 0 || tot.Verdicts[decide.Failed] != 1 {
		t.Errorf("totals %+v", tot)
	}
}

// The teaser comes while the client waits, and once.
func TestTeaser(t *testing.T) {
	d := open(t, "", "greet_delay 290s stress=290s\nteaser \"mx.example please wait\"")
	s, client := d.enter(t)
	done := make(chan bool)
	go func() {
		done <- s.Run()
		unix.Shutdown(s.FD, unix.SHUT_RDWR)
	}()
	const want = "220-mx.example please wait\r\n"
	client.SetDeadline(time.Now().Add(lab.Patience))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(client, got); string(got) != want {
		t.Errorf("during the greet delay the client has read %q, %v; want %q", got, err, want)
	}
	client.CloseWrite()
	if served := <-done; served || s.Verdict != decide.Hangup {
		t.Errorf("%v, served %v", s.Verdict, served)
	}
	if rest := readAll(t, client); rest != "" {
		t.Errorf("and then %q", rest)
	}
}
