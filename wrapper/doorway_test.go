package wrapper

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// doorway is a door with a ledger and a log of its own, for decisions within the test's process.
type doorway struct {
	*Door
	log  net.PacketConn
	from string // address of the clients; stranger is no address of this machine
}

const stranger = "127.0.0.2"

// open makes a door from lines of sendwrap.conf. Several doors on one directory share a ledger.
func open(t *testing.T, dir, conf string) *doorway {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "conf")
	conf += "\nledger " + filepath.Join(dir, "ledger") + " clients=1024\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Hostname = "mx.example"
	logDir, err := os.MkdirTemp("", "log") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(logDir) })
	socket := filepath.Join(logDir, "log")
	log, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	door := &Door{Policy: cfg.Policy(), Log: maillog.Syslog(socket), Process: ledger.Self()}
	d := &doorway{door, log, "127.0.0.1"}
	d.OpenLedger()
	if !d.Ledger.IsOpen() {
		t.Fatal(d.line(t))
	}
	return d
}

// line is the next line of the log, less its head.
func (d *doorway) line(t *testing.T) string {
	t.Helper()
	d.log.SetReadDeadline(time.Now().Add(lab.Patience))
	b := make([]byte, 2048)
	n, _, err := d.log.ReadFrom(b)
	if err != nil {
		t.Fatalf("no log line: %v", err)
	}
	_, text, _ := strings.Cut(string(b[:n]), "]: ")
	return text
}

// meet is a client that does something before we look, or is quiet. It returns the result.
func (d *doorway) meet(t *testing.T, does func(*net.TCPConn)) (s *Session, client *net.TCPConn,
	served bool) {
	t.Helper()
	s, client = d.enter(t)
	if does != nil {
		does(client)
		arrived(t, s.FD)
	}
	return s, client, s.Run()
}

// enter is a client that has connected.
func (d *doorway) enter(t *testing.T) (s *Session, client *net.TCPConn) {
	t.Helper()
	client, fd := pairFrom(t, d.from)
	conn, err := Inspect(fd)
	if err != nil {
		t.Fatal(err)
	}
	return d.NewSession(conn), client
}

func (d *doorway) totals(t *testing.T) (sum ledger.Totals) {
	t.Helper()
	if err := d.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) { sum = tx.Totals() }); err != nil {
		t.Fatal(err)
	}
	return sum
}

func speak(c *net.TCPConn) { c.Write([]byte("EHLO bot\r\n")) }
func leave(c *net.TCPConn) { c.Close() }

func blockLoopback(network string) func(*doorway) {
	return func(d *doorway) {
		_ = d.Ledger.Run(func(t *ledger.Tx) {
			t.Block(netip.MustParsePrefix(network), time.Hour, "test", Penalty(d.Policy.Settings))
		})
	}
}

// waiting and serving are sessions of other connections that live as long as the test.
func waiting(client string) func(*doorway) { return standing(client, false) }
func serving(client string) func(*doorway) { return standing(client, true) }

func standing(client string, serve bool) func(*doorway) {
	return func(d *doorway) {
		from := netip.AddrPortFrom(netip.MustParseAddr(client), 4000)
		_ = d.Ledger.Run(func(t *ledger.Tx) {
			var f decide.Facts
			d.facts(&f, from.Addr(), d.room)
			s, _ := t.Enter(d.arrival(from, &f.Limits), d.Process)
			if serve {
				t.Serve(s)
			}
		})
	}
}

func known(d *doorway) {
	_ = d.Ledger.Run(func(t *ledger.Tx) {
		t.Remember(d.Network(netip.MustParseAddr(d.from)), time.Hour)
	})
}

func both(a, b func(*doorway)) func(*doorway) { return func(d *doorway) { a(d); b(d) } }

// arrival is a client that arrives now, with these limits.
func (d *doorway) arrival(from netip.AddrPort, l *decide.Limits) ledger.Arrival {
	client := from.Addr()
	return arrival(from, d.Network(client), d.countsWide(client), l)
}
