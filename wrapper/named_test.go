package wrapper

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/compile"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// compiled has the door decide by the compiled form of its policy, as the program does that starts
// for each connection.
func (d *doorway) compiled(t *testing.T, dir string) {
	t.Helper()
	file, path := filepath.Join(dir, "conf"), filepath.Join(dir, "policy")
	if _, err := compile.Compile(file, path); err != nil {
		t.Fatal(err)
	}
	c, err := policy.Open(path, file, netip.MustParseAddr(asked))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	text := d.Policy.Settings
	d.Policy = c.Policy()
	d.Policy.Resolvers, d.Policy.Hostname = text.Resolvers, text.Hostname
}

// TestNamed: a name that the client's address has, and that has the address, is allowed or denied
// as soon as it is known, by the text as by the compiled policy. Nothing else that DNS says is.
func TestNamed(t *testing.T) {
	const ptr = reversed + ".in-addr.arpa. 300 IN PTR "
	const host, own = ptr + "Host.Dyn.example.", "host.dyn.example. 300 IN A " + asked
	const short = "greet_delay 1s stress=1s\n"
	for _, tt := range []struct {
		name, conf string
		records    []string
		prepare    func(*doorway)
		want       decide.Verdict
		rule       string
	}{
		{"denied", endless + "deny .dyn.example\n", []string{host, own}, nil, decide.Denied,
			".dyn.example"},
		{"allowed", endless + "allow host.DYN.example.\ndeny .dyn.example\n", []string{host, own},
			nil, decide.Allowed, "host.dyn.example"},
		{"observed", endless + "mode observe\ndeny .dyn.example\n", []string{host, own}, nil,
			decide.Denied, ".dyn.example"},
		{"not confirmed", short + "allow .dyn.example\n",
			[]string{host, "host.dyn.example. 300 IN A 127.9.8.6"}, nil, decide.Pass, ""},
		{"without an address", short + "deny .dyn.example\n", []string{host}, nil, decide.Pass, ""},
		{"another domain", short + "deny .yn.example dyn.example .host.dyn.example\n",
			[]string{host, own}, nil, decide.Pass, ""},
		{"a network beats it", endless + "allow 127.9.0.0/16\ndeny .dyn.example\n",
			[]string{host, own}, nil, decide.Allowed, ""},
		{"a block beats it", endless + "allow .dyn.example\n", []string{host, own},
			blockLoopback("127.9.8.7/32"), decide.Blocked, ""},
		{"a delay of its own", endless + "client .dyn.example greet_delay=0\n",
			[]string{host, own}, nil, decide.Pass, ""},
		{"a network's delay beats it", short + "client 127.0.0.0/8 greet_delay=1s\n" +
			"client .dyn.example greet_delay=290s\n", []string{host, own}, nil, decide.Pass, ""},
	} {
		for _, form := range []string{"text", "compiled"} {
			t.Run(tt.name+"/"+form, func(t *testing.T) {
				t.Parallel()
				dir, n := t.TempDir(), lab.NewNameserver(t, tt.records...)
				d := dnsDoor(t, dir, n, tt.conf, nil)
				if form == "compiled" {
					d.compiled(t, dir)
				}
				if tt.prepare != nil {
					tt.prepare(d)
				}
				s, _, served := d.meet(t, nil)
				if s.Verdict != tt.want || s.facts().Rule.Name != tt.rule {
					t.Errorf("%v by %q; want %v by %q", s.Verdict, s.facts().Rule.Name, tt.want,
						tt.rule)
				}
				if want := tt.want.Served() || tt.name == "observed"; served != want {
					t.Errorf("served: %v; want %v", served, want)
				}
			})
		}
	}
}

// Limits of a name hold once the ledger remembers the name.
func TestNamedLimits(t *testing.T) {
	for _, form := range []string{"text", "compiled"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t, reversed+".in-addr.arpa. 300 IN PTR host.dyn.example.",
				"host.dyn.example. 300 IN A "+asked)
			dir := t.TempDir()
			d := dnsDoor(t, dir, n,
				endless+"client .dyn.example client_conns=1 greet_delay=0s\n", nil)
			if form == "compiled" {
				d.compiled(t, dir)
			}
			if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
				t.Fatalf("the first: %v", s.Verdict)
			}
			if s, _, _ := d.meet(t, nil); s.Verdict != decide.Conns {
				t.Errorf("the second: %v", s.Verdict)
			}
		})
	}
}

// Of several names of a client, one with deny decides before one with allow, in whatever order they
// come, now and as long as the ledger remembers them. The log has the one that decides.
func TestSeveralNames(t *testing.T) {
	const ptr, at = reversed + ".in-addr.arpa. 300 IN PTR ", " 300 IN A " + asked
	names := []string{"a.none.example.", "b.good.example.", "c.delay.example.", "d.bad.example."}
	for _, tt := range []struct {
		names []string
		want  decide.Verdict
		log   string
	}{
		{names, decide.Denied, "d.bad.example"},
		{names[:3], decide.Allowed, "b.good.example"},
		{[]string{names[0], names[2]}, decide.Pass, "c.delay.example"},
	} {
		t.Run(tt.log, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t)
			for _, name := range tt.names {
				n.Add(t, ptr+name, name+at)
			}
			d := dnsDoor(t, "", n, endless+"remember 0s\nallow .good.example\n"+
				"deny .bad.example\nclient .delay.example greet_delay=1ms\n", nil)
			for range 2 {
				s, _, _ := d.meet(t, nil)
				line := d.line(t)
				if s.Verdict != tt.want || !strings.Contains(line+" ", " name="+tt.log+" ") {
					t.Errorf("%v, want %v: %s", s.Verdict, tt.want, line)
				}
			}
			if got := n.Asked(reversed + ".in-addr.arpa"); got != 1 {
				t.Errorf("asked %d times", got)
			}
		})
	}
}
