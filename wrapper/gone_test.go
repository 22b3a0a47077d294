package wrapper

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
)

// What a client did counts, even if it had left before we looked.
func TestGone(t *testing.T) {
	const ehlo = `reply=554 kind=ehlo bytes=10 data="EHLO bot\r\n"`
	tests := []struct {
		name, conf string
		before     func(*doorway)
		does       func(*net.TCPConn)
		want       decide.Verdict
		log        string // after the two addresses
	}{
		{"quiet", "", nil, nil, decide.Hangup, "wait=0s/6s conns=1/50"},
		{"spoken", "", nil, speak, decide.Pregreet, "wait=0s/6s conns=1/50 strikes=1/3 " + ehlo},
		{"spoken under observe", "mode observe", nil, speak, decide.Pregreet,
			"mode=observe wait=0s/6s conns=1/50 strikes=1/3 " + ehlo},
		{"known", "", known, nil, decide.Hangup, "wait=0s/0s conns=1/50"},
		{"denied", "deny 127.0.0.2", nil, nil, decide.Denied,
			"rule=CONF:1 network=127.0.0.2/32 reply=554"},
		{"blocked", "", blockLoopback("127.0.0.2/32"), nil, decide.Blocked,
			"network=127.0.0.2/32 left=LEFT reason=test reply=421"},
		// No strike, since it may speak early. And no MTA: sendmail takes a client whose address it
		// cannot find out for a local one.
		{"allowed", "allow 127.0.0.2", nil, speak, decide.Hangup, "wait=0s/0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "", tt.conf)
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			before := d.totals(t)
			s := d.gone(t, tt.does)
			if s.Verdict != tt.want || s.Served() {
				t.Errorf("%v, served %v; want %v", s.Verdict, s.Served(), tt.want)
			}
			conf := filepath.Join(filepath.Dir(d.Policy.Ledger.Path), "conf")
			want := s.line().String() + " " +
				strings.NewReplacer("CONF", conf,
					"LEFT", shown(s.facts().BlockLeft)).Replace(tt.log)
			if got := d.line(t); got != want {
				t.Errorf("log line\n     %s\nwant %s", got, want)
			}
			after := d.totals(t)
			for _, v := range decide.Verdicts() {
				if n := after.Verdicts[v] - before.Verdicts[v]; (n != 0) != (v == tt.want) ||
					n > 1 {
					t.Errorf("%v is counted %d times", v, n)
				}
			}
			if after.Waiting+after.Serving != 0 {
				t.Errorf("%d wait and %d are served", after.Waiting, after.Serving)
			}
		})
	}
}

// Early talkers that reset their connections are blocked like others.
func TestGoneIsBlocked(t *testing.T) {
	d := open(t, "", "")
	d.from = stranger
	for range 2 {
		if _, block, _ := d.gone(t, speak).Block(); block != 0 {
			t.Fatalf("a block of %v begins before the third strike", block)
		}
	}
	if network, block, _ := d.gone(t, speak).Block(); block == 0 {
		t.Errorf("no block of %v begins with the third strike", network)
	}
	if s := d.gone(t, speak); s.Verdict != decide.Blocked {
		t.Errorf("then: %v", s.Verdict)
	}
}

// gone is a client that has reset its connection before we look.
func (d *doorway) gone(t *testing.T, does func(*net.TCPConn)) *Session {
	t.Helper()
	client, fd := pairFrom(t, d.from)
	if does != nil {
		does(client)
	}
	reset(t, client)
	arrived(t, fd)
	var conn Connection
	for { // what was sent may have come before the end
		var err error
		if conn, err = Inspect(fd); errors.Is(err, ErrGone) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	s := d.NewSession(conn)
	s.RunGone()
	return s
}
