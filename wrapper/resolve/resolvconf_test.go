package resolve

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestParseResolvConf(t *testing.T) {
	type conf struct {
		servers  string
		timeout  time.Duration
		attempts int
		rotate   bool
	}
	const local = "127.0.0.1:53"
	for text, want := range map[string]conf{
		"":                            {local, 5 * time.Second, 2, false},
		"nameserver 192.0.2.1\n":      {"192.0.2.1:53", 5 * time.Second, 2, false},
		"nameserver\t192.0.2.1 # x":   {"192.0.2.1:53", 5 * time.Second, 2, false},
		"nameserver 192.0.2.1\r\n":    {"192.0.2.1:53", 5 * time.Second, 2, false},
		"nameserver 2001:db8::1\n":    {"[2001:db8::1]:53", 5 * time.Second, 2, false},
		"nameserver fe80::1%eth0\n":   {"[fe80::1%eth0]:53", 5 * time.Second, 2, false},
		"nameserver ::ffff:192.0.2.1": {"192.0.2.1:53", 5 * time.Second, 2, false},
		"; nameserver 192.0.2.9\n#nameserver 192.0.2.8\n nameserver 192.0.2.7\n" +
			"search example.org\nnameserver 192.0.2.1\nNAMESERVER 192.0.2.6\n": {"192.0.2.1:53",
			5 * time.Second, 2, false},
		"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4": {
			"192.0.2.1:53 192.0.2.2:53 192.0.2.3:53", 5 * time.Second, 2, false},
		"nameserver ns.example\nnameserver 192.0.2.256\nnameserver\nnameserver 192.0.2.2": {
			"192.0.2.2:53", 5 * time.Second, 2, false},
		"options timeout:1 attempts:3 rotate\n":          {local, time.Second, 3, true},
		"options ndots:2 edns0\noptions\ttimeout:7\n":    {local, 7 * time.Second, 2, false},
		"options timeout:0 attempts:0\n":                 {local, time.Second, 1, false},
		"options timeout:99999 attempts:99999\n":         {local, 30 * time.Second, 5, false},
		"options timeout:-1 attempts:x timeout rotate:1": {local, time.Second, 2, false},
		"options\nnameserver\n\n \x00\xff\n":             {local, 5 * time.Second, 2, false},
	} {
		l := parseResolvConf(text, 53)
		var servers []string
		for _, s := range l.servers {
			servers = append(servers, s.addr.String())
		}
		got := conf{strings.Join(servers, " "), l.timeout, l.attempts, l.rotate}
		if got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
}

// fromFile is a Resolver that reads a file of the test for resolv.conf, whose servers have the port
// of the one given.
func fromFile(t *testing.T, path string, s *dnsServer) *loop {
	l := resolverFor(t)
	l.source.path = path
	l.source.port = s.addr.Port()
	return l
}

// replace makes a new file of that name, as administrators' programs do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// second makes a second pass for the Resolver.
func (l *loop) second() { l.source.looked = l.source.looked.Add(-lookPause) }

// resolv.conf is replaced, written over, removed and made again while questions are asked.
func TestResolvConfChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	a := serve(t, "127.0.0.2", false, listed)
	b := serveAt(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), a.addr.Port()), false,
		listed)
	local := serveAt(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.addr.Port()), false,
		listed)
	l := fromFile(t, path, a)
	modTime := func() time.Time {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	for _, step := range []struct {
		what string
		do   func()
		want []int
	}{
		{"no file", func() {}, []int{0, 0, 1}},
		{"made", func() { replace(t, path, "nameserver 127.0.0.2\n") }, []int{1, 0, 1}},
		{"replaced", func() { replace(t, path, "nameserver 127.0.0.3\n") }, []int{1, 1, 1}},
		{"written over, as long as before", func() {
			before := modTime()
			lab.Eventually(t, "the kernel's clock of files ticks", func() bool {
				if err := os.WriteFile(path, []byte("nameserver 127.0.0.2\n"), 0); err != nil {
					t.Fatal(err)
				}
				return modTime() != before
			})
		}, []int{2, 1, 1}},
		{"the same", func() {}, []int{3, 1, 1}},
		{"removed", func() { os.Remove(path) }, []int{3, 1, 2}},
		{"made again", func() { replace(t, path, "nameserver 127.0.0.3\n") }, []int{3, 2, 2}},
		{"replaced by a directory", func() {
			os.Remove(path)
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, []int{3, 2, 3}},
		{"replaced by a FIFO", func() {
			os.Remove(path)
			if err := unix.Mkfifo(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}, []int{3, 2, 4}},
	} {
		step.do()
		l.second()
		if got := l.ask("a.example", A, awhile()); got.Result != Found {
			t.Errorf("%s: got %+v", step.what, got)
		}
		if got := count(a, b, local); !reflect.DeepEqual(got, step.want) {
			t.Errorf("%s: asked %v times, want %v", step.what, got, step.want)
		}
	}
}

// A query under way keeps its servers.
func TestResolvConfChangesMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	gate := make(chan struct{})
	a := serve(t, "127.0.0.2", false, func(s *dnsServer, q query, reply reply) {
		<-gate
		listed(s, q, reply)
	})
	b := serveAt(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), a.addr.Port()), false,
		listed)
	l := fromFile(t, path, a)
	replace(t, path, "nameserver 127.0.0.2\noptions timeout:30\n")
	answers := 0
	q := l.Ask(Question{"a.example", A}, awhile(), func(Answer) { answers++ })
	l.setDue(q, q.until)
	replace(t, path, "nameserver 127.0.0.3\noptions timeout:30\n")
	l.second()
	q = l.Ask(Question{"b.example", A}, awhile(), func(a Answer) { answers++ })
	l.setDue(q, q.until)
	l.run(func() bool { return answers == 1 })
	close(gate)
	l.run(func() bool { return answers == 2 })
	if got := count(a, b); !reflect.DeepEqual(got, []int{1, 1}) {
		t.Errorf("asked %v times", got)
	}
}

// The file is looked at once a second, and read only if it has changed.
func TestLooksOnceASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	replace(t, path, "nameserver 127.0.0.2\n")
	l := resolverFor(t)
	l.source.path = path
	now := time.Now()
	first := l.servers(now)
	for i := range 1000 {
		l.servers(now.Add(time.Duration(i) * time.Millisecond))
	}
	if l.calls.looks != 1 {
		t.Errorf("looked %d times in a second", l.calls.looks)
	}
	if l.servers(now.Add(time.Second)) != first || l.calls.looks != 2 {
		t.Error("read again without a change, or not looked at")
	}
	replace(t, path, "nameserver 127.0.0.3\n")
	if l.servers(now.Add(1999*time.Millisecond)) != first {
		t.Error("looked at within a second")
	}
	if l.servers(now.Add(2*time.Second)) == first {
		t.Error("a change is not seen")
	}
}

// No file is so large that reading it takes long.
func TestLargeResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	padding := strings.Repeat("#", maxFile-len("\nnameserver 127.0.0.2\n"))
	replace(t, path, padding+"\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n")
	text, _ := readFile(path)
	if len(text) != maxFile {
		t.Errorf("%d bytes read", len(text))
	}
	if l := parseResolvConf(string(text), 53); len(l.servers) != 1 {
		t.Errorf("%d servers", len(l.servers))
	}
}
