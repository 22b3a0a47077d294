package exec

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	v4 := Ends{
		netip.MustParseAddrPort("192.0.2.9:51544"), netip.MustParseAddrPort("198.51.100.5:25"), "",
	}
	v6 := Ends{
		netip.MustParseAddrPort("[fe80::7%eth0]:1"),
		netip.MustParseAddrPort("[2001:db8::25]:65535"), "",
	}
	named := v4
	named.Host = "mx.example.org"
	ucspi := []string{"PROTO=TCP", "TCPREMOTEIP=192.0.2.9", "TCPREMOTEPORT=51544",
		"TCPLOCALIP=198.51.100.5", "TCPLOCALPORT=25"}
	tests := []struct {
		name    string
		environ []string
		ends    Ends
		want    []string
	}{
		{"nothing", nil, v4, ucspi},
		{"other variables stay in their order",
			[]string{"PATH=/bin", "A=", "=x", "noequals", "PATH=/sbin"}, v4,
			append([]string{"PATH=/bin", "A=", "=x", "noequals", "PATH=/sbin"}, ucspi...)},
		{"wrong values are replaced", []string{"TCPREMOTEIP=10.0.0.1", "PROTO=SSL", "TCPLOCALPORT=",
			"TCPREMOTEIP=10.0.0.2"}, v4, ucspi},
		{"variables of socket activation", []string{"LISTEN_PID=1", "LISTEN_FDS=1",
			"LISTEN_FDNAMES=x", "LISTEN_PIDFDID=7"}, v4, ucspi},
		{"variables between systemd and us", []string{"NOTIFY_SOCKET=/run/x", "WATCHDOG_USEC=1",
			"WATCHDOG_PID=1", "INVOCATION_ID=1"}, v4,
			append([]string{"INVOCATION_ID=1"}, ucspi...)},
		{"the variable between two rooms", []string{"SENDWRAP_HANDOVER=5"}, v4, ucspi},
		{"the variable of the door", []string{"SENDWRAP_DOOR=1"}, v4, ucspi},
		{"names that only begin alike", []string{"LISTEN_FDS_MAX=1", "TCPREMOTEIPS=x"}, v4,
			append([]string{"LISTEN_FDS_MAX=1", "TCPREMOTEIPS=x"}, ucspi...)},
		{"our name", nil, named, append(slices.Clone(ucspi), "TCPLOCALHOST=mx.example.org")},
		{"tcpserver -l0", []string{"TCPLOCALHOST=0"}, named,
			append(slices.Clone(ucspi), "TCPLOCALHOST=mx.example.org")},
		{"a name that the administrator gave us",
			[]string{"TCPLOCALHOST=", "TCPLOCALHOST=a.example"},
			named, append([]string{"TCPLOCALHOST=a.example"}, ucspi...)},
		{"what tcpserver knows about this client", []string{"TCPREMOTEHOST=a.example",
			"TCPREMOTEINFO=me", "TCPREMOTEIP=::ffff:192.0.2.9", "TCPREMOTEPORT=51544"}, v4,
			append([]string{"TCPREMOTEHOST=a.example", "TCPREMOTEINFO=me"}, ucspi...)},
		{"of its previous connection", []string{"TCPREMOTEHOST=a.example", "TCPREMOTEINFO=me",
			"TCPREMOTEIP=192.0.2.9", "TCPREMOTEPORT=51543"}, v4, ucspi},
		{"of another client", []string{"TCPREMOTEHOST=a.example", "TCPREMOTEIP=192.0.2.8",
			"TCPREMOTEPORT=51544"}, v4, ucspi},
		{"of an unknown connection", []string{"TCPREMOTEHOST=a.example", "TCPREMOTEINFO=me"}, v4,
			ucspi},
		{"of an unknown client", []string{"TCPREMOTEHOST=a.example", "TCPREMOTEIP="},
			Ends{Server: v4.Server},
			[]string{"PROTO=TCP", "TCPLOCALIP=198.51.100.5", "TCPLOCALPORT=25"}},
		{"IPv6, without its zone", nil, v6,
			[]string{"PROTO=TCP", "TCPREMOTEIP=fe80::7", "TCPREMOTEPORT=1",
				"TCPLOCALIP=2001:db8::25", "TCPLOCALPORT=65535"}},
		{"an unknown end", []string{"TCPREMOTEIP=10.0.0.1", "TCPREMOTEPORT=1"},
			Ends{Server: v4.Server},
			[]string{"PROTO=TCP", "TCPLOCALIP=198.51.100.5", "TCPLOCALPORT=25"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := environment(tt.environ, tt.ends); !slices.Equal(got, tt.want) {
				t.Errorf("environment(%q)\n got %q\nwant %q", tt.environ, got, tt.want)
			}
		})
	}
}

func TestEnvironmentOfMTA(t *testing.T) {
	files := map[string]string{"TCPREMOTEIP": "10.0.0.1", "PROTO": "SSL", "KEPT": "a b\nc"}
	t.Setenv("GOMAXPROCS", "") // the door adds it if it is not there
	os.Unsetenv("GOMAXPROCS")
	removed := []string{"TCPREMOTEHOST", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS",
		"LISTEN_FDNAMES",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "SENDWRAP_HANDOVER",
		"SENDWRAP_DOOR"}
	for _, name := range removed {
		files[name] = "1"
	}
	for name, value := range files {
		t.Setenv(name, value)
	}
	removed = append(removed, "GOMAXPROCS")
	ways := map[string]func(t *testing.T) *session{
		"replace": func(t *testing.T) *session { return start(t, setup{}, fds{}) },
		"the door": func(t *testing.T) *session {
			return start(t, setup{Program: built(t, asDoor)}, fds{})
		},
		"spawn": func(t *testing.T) *session { return spawn(t) },
	}
	for way, start := range ways {
		t.Run(way, func(t *testing.T) {
			s := start(t)
			s.becomeMTA()
			vars := s.variables()
			for name, want := range map[string]string{
				"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.9", "TCPREMOTEPORT": "51544",
				"TCPLOCALIP": "2001:db8::25", "TCPLOCALPORT": "25", "TCPLOCALHOST": "mx.test",
				"KEPT": "a b\nc",
			} {
				if got, ok := vars[name]; !ok || got != want {
					t.Errorf("%s=%q (set: %v); want %q", name, got, ok, want)
				}
			}
			for _, name := range removed {
				if got, ok := vars[name]; ok {
					t.Errorf("%s=%q is still there", name, got)
				}
			}
		})
	}
}
