package doctor

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// Local mail and the name of the machine depend on lines of sendwrap.conf.
func TestLocal(t *testing.T) {
	const own = "CONF: allow: this machine's own mail comes from 127.0.0.1 and ::1; " +
		"write allow 127.0.0.0/8 ::1"
	for lines, want := range map[string]string{
		"": own, "allow 127.0.0.1": own, "allow ::1": own, "allow 192.0.2.0/24": own,
		"deny 127.0.0.1":      own,
		"allow 127.0.0.1 ::1": "", "allow 127.0.0.0/8 ::1": "", "deny 127.0.0.1 ::1": "",
		"allow 0.0.0.0/0 ::/0": "",
	} {
		if got := site(t, lines, nil).found("loopback"); got != want {
			t.Errorf("%q: %q; want %q", lines, got, want)
		}
	}
	lab.Need(t, lab.NoNamespaces())
	if err := lab.IP("addr add 192.0.2.25/24 dev lo"); err != nil {
		t.Fatal(err)
	}
	defer lab.IP("addr del 192.0.2.25/24 dev lo")
	for lines, want := range map[string]string{
		"":                 "CONF: allow: 192.0.2.25 is this machine's own; write allow 192.0.2.25",
		"allow 192.0.2.25": "", "client 192.0.2.0/24 client_conns=9\nallow 192.0.2.0/24": "",
	} {
		if got := site(t, lines, nil).found("own_address"); got != want {
			t.Errorf("%q: %q; want %q", lines, got, want)
		}
	}
}

// Refusals give the machine's name without a domain, unless hostname is set.
func TestHostname(t *testing.T) {
	machine, err := lab.NewThread(unix.CLONE_NEWUTS | unix.CLONE_NEWNS)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	const want = `hostname: refusals call this machine "sendwraps", without a domain; ` +
		"write hostname mx.example.org"
	for _, tt := range []struct{ node, conf, want string }{
		{"sendwraps", "", "CONF: " + want}, {"sendwraps.example", "", ""},
		{"sendwraps", "hostname mx.example.org", ""},
	} {
		s := site(t, tt.conf, nil)
		machine.Do(func() {
			if err = unix.Sethostname([]byte(tt.node)); err == nil {
				if got := s.found("hostname"); got != tt.want {
					t.Errorf("%+v: %q", tt, got)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The log is reachable if somebody listens, by datagrams or not.
func TestSyslog(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	const want = "/dev/log: nobody listens there; start rsyslogd or systemd-journald"
	found := func(when, conf, want string) {
		t.Helper()
		if got := site(t, conf, nil).found("syslog"); got != want {
			t.Errorf("%s: %q; want %q", when, got, want)
		}
	}
	found("without a socket", "", want)
	found("with another log", "log stderr\n", "")
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log"})
	if err != nil {
		t.Fatal(err)
	}
	found("with datagrams", "", "")
	datagrams.Close()
	found("with a socket that is left", "", want)
	if err := os.Remove("/dev/log"); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", "/dev/log")
	if err != nil {
		t.Fatal(err)
	}
	found("with a stream", "", "")
	l.Close()
}

// The ledger must have room for the sessions, be usable, and lie on a disk that is not full.
func TestLedger(t *testing.T) {
	lab.NeedRoot(t)
	for _, tt := range []struct{ lines, clients, want string }{
		{"max_waiting 30000", "8192", "max_sessions 300 and max_waiting 30000 are 30300 " +
			"sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 1000 room=30000", "8192", "max_sessions 300 and max_waiting room=30000 are " +
			"30300 sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_waiting 30000 room=9", "8192", "max_sessions 300 and max_waiting 30000 are 30300 " +
			"sessions, but clients=8192 has room for 4096; write clients=60600"},
		{"max_sessions 3097\nmax_waiting 1000", "1024", "max_sessions 3097 and max_waiting 1000 " +
			"are 4097 sessions, but clients=1024 has room for 4096; write clients=8194"},
		{"max_sessions 3096\nmax_waiting 1000", "1024", ""},
		{"max_sessions 100000\nmax_waiting 1000000", "65536", "max_sessions 100000 and " +
			"max_waiting 1000000 are 1100000 sessions, but clients=65536 has room for 32768; " +
			"write clients=2200000"},
		{"", "65536", ""}, // the defaults
		{"", "1024", ""},  // no room runs
	} {
		conf := "ledger /var/lib/sendwrap/ledger clients="
		want := tt.want
		if want != "" {
			want = "CONF:1: ledger: " + want
		}
		got := site(t, conf+tt.clients+"\n"+tt.lines, nil).found("ledger_size")
		if got != want {
			t.Errorf("%q: %q; want %q", tt.lines, got, want)
		}
		if _, number, found := strings.Cut(tt.want, "; write clients="); found {
			got := site(t, conf+number+"\n"+tt.lines, nil).found("ledger_size")
			if got != "" {
				t.Errorf("%q, with clients=%s: %q", tt.lines, number, got)
			}
		}
	}

	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	withRoom := site(t, "ledger "+dir+"/ledger clients=1024\n", nil)
	l, _, err := ledger.Open(dir+"/ledger", 1024, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	l.RegisterRoom(ledger.Self(), "1.0")
	withRoom.Ledger = l
	if got := withRoom.found("ledger_size"); !strings.Contains(got, " max_waiting room=20000 ") {
		t.Errorf("with a room: %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := site(t, "ledger "+dir+"/ledger clients=1024\n", nil)
	open := "CONF:1: ledger: " + dir + ": mode 0777 lets "
	if got := s.found("ledger"); !strings.HasPrefix(got, open) {
		t.Errorf("open to others: %q", got)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := s.found("ledger") + s.found("disk"); got != "" {
		t.Errorf("in its place: %q", got)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=17m,mode=700"); err != nil {
		lab.Need(t, "no tmpfs: "+err.Error())
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	const nearly = " has 17 MiB left, and "
	if got := s.found("disk"); !strings.HasPrefix(got, "CONF:1: ledger: "+dir+nearly) ||
		!strings.HasSuffix(got, " are needed; free some, or name another place") {
		t.Errorf("too small for a new ledger: %q", got)
	}
	if err := os.WriteFile(dir+"/ledger", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.found("disk"); got != "" {
		t.Errorf("with a ledger: %q", got)
	}
}

// One private address that has nearly all clients is taken for a container's or a proxy's.
func TestOneClient(t *testing.T) {
	for _, tt := range []struct {
		name, conf, first string
		firsts, others    int
		found             bool
	}{
		{"all", "", "172.17.0.1", 300, 0, true},
		{"nearly all", "", "172.17.0.1", 290, 10, true},
		{"many", "", "172.17.0.1", 250, 50, false},
		{"few clients", "", "172.17.0.1", 100, 0, false},
		{"a public address", "", "192.0.2.1", 300, 0, false},
		{"allowed", "allow 172.17.0.0/16", "172.17.0.1", 300, 0, false},
		{"IPv6", "", "fd00::1", 300, 0, true},
	} {
		l, _, err := ledger.Open(filepath.Join(t.TempDir(), "ledger"), 1024, ledger.ThisBoot())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		other := netip.MustParseAddr("198.51.100.1")
		arrive := func(addr netip.Addr) {
			a := ledger.Arrival{Client: netip.AddrPortFrom(addr, 1),
				Network: netip.PrefixFrom(addr, addr.BitLen())}
			if err := l.Do(ledger.Now(), func(tx *ledger.Tx) {
				s, _ := tx.Enter(a, ledger.Self())
				tx.Leave(s)
			}); err != nil {
				t.Fatal(err)
			}
		}
		for range tt.firsts {
			arrive(netip.MustParseAddr(tt.first))
		}
		for range tt.others {
			arrive(other)
			other = other.Next()
		}
		s := site(t, tt.conf, nil)
		s.Ledger = l
		if got := s.found("one_client"); (got != "") != tt.found {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// The hook must be one that root may run, and the sets that it fills must be there.
func TestFirewall(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	lab.NeedRoot(t)
	nft := lab.NeedProgram(t, "nft")
	dir := "/run/hooks" // nobody else may write in the directories above it
	defer os.RemoveAll(dir)
	hook := dir + "/sendwrap-nft"
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(dir+"/mine", []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	s := site(t, "on_block "+hook+"\n", nil)
	const missing = "CONF:1: on_block: the firewall has no sets of sendwrap; nft -f " +
		"nftables.conf (of packaging/), and include it in /etc/nftables.conf"
	if got := s.found("firewall"); got != missing || s.found("on_block") != "" {
		t.Errorf("without the sets: %q", got)
	}
	if got := site(t, "on_block "+dir+"/mine\n", nil).found("firewall"); got != "" {
		t.Errorf("with another hook: %q", got)
	}
	out, err := exec.Command(nft, "-f", "../../packaging/nftables.conf").CombinedOutput()
	if err != nil {
		lab.Need(t, "no nftables: "+string(out))
	}
	defer exec.Command(nft, "delete", "table", "inet", "sendwrap").Run()
	if got := s.found("firewall"); got != "" {
		t.Errorf("with the sets: %q", got)
	}
	if err := os.Chmod(hook, 0o777); err != nil {
		t.Fatal(err)
	}
	want := "CONF:1: on_block: " + hook + ": mode 0777 lets others write it; chmod go-w it"
	if got := s.found("on_block"); got != want {
		t.Errorf("open to others: %q; want %q", got, want)
	}
	if err := os.Remove(hook); err != nil {
		t.Fatal(err)
	}
	want = "CONF:1: on_block: exec " + hook + ": no such file or directory; " +
		"write on_block PROGRAM ARG..., with the path of a program"
	if got := s.found("on_block"); got != want {
		t.Errorf("missing: %q; want %q", got, want)
	}
}
