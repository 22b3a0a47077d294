package exec

import (
	"net/netip"
	"os"
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	v4 := Ends{netip.MustParseAddrPort("192.0.2.9:51544"), netip.MustParseAddrPort("198.51.100.5:25")}
	v6 := Ends{netip.MustParseAddrPort("[fe80::7%eth0]:1"), netip.MustParseAddrPort("[2001:db8::25]:65535")}
	ucspi := []string{"PROTO=TCP", "TCPREMOTEIP=192.0.2.9", "TCPREMOTEPORT=51544", "TCPLOCALIP=198.51.100.5", "TCPLOCALPORT=25"}
	tests := []struct {
		name    string
		environ []string
		ends    Ends
		want    []string
	}{
		{"nothing", nil, v4, ucspi},
		{"what is there stays, in its order", []string{"PATH=/bin", "A=", "=x", "noequals", "PATH=/sbin"}, v4,
			append([]string{"PATH=/bin", "A=", "=x", "noequals", "PATH=/sbin"}, ucspi...)},
		{"lies are replaced", []string{"TCPREMOTEIP=10.0.0.1", "PROTO=SSL", "TCPLOCALPORT=", "TCPREMOTEIP=10.0.0.2"}, v4, ucspi},
		{"socket activation is over", []string{"LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=x", "LISTEN_PIDFDID=7"}, v4, ucspi},
		{"names that only begin alike", []string{"LISTEN_FDS_MAX=1", "TCPREMOTEIPS=x", "TCPREMOTEHOST=a.example"}, v4,
			append([]string{"LISTEN_FDS_MAX=1", "TCPREMOTEIPS=x", "TCPREMOTEHOST=a.example"}, ucspi...)},
		{"IPv6, without its zone", nil, v6,
			[]string{"PROTO=TCP", "TCPREMOTEIP=fe80::7", "TCPREMOTEPORT=1", "TCPLOCALIP=2001:db8::25", "TCPLOCALPORT=65535"}},
		{"an end nobody knows", []string{"TCPREMOTEIP=10.0.0.1", "TCPREMOTEPORT=1"}, Ends{Server: v4.Server},
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
	for name, value := range map[string]string{
		"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "TCPREMOTEIP": "10.0.0.1", "PROTO": "SSL", "KEPT": "a b\nc",
	} {
		os.Setenv(name, value)
		defer os.Unsetenv(name)
	}
	s := start(t, spoiled{}, fds{})
	s.become()
	vars := s.variables()
	for name, want := range map[string]string{
		"PROTO": "TCP", "TCPREMOTEIP": "192.0.2.9", "TCPREMOTEPORT": "51544",
		"TCPLOCALIP": "2001:db8::25", "TCPLOCALPORT": "25", "KEPT": "a b\nc",
	} {
		if got, ok := vars[name]; !ok || got != want {
			t.Errorf("%s=%q (set: %v); want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if got, ok := vars[name]; ok {
			t.Errorf("%s=%q is still there", name, got)
		}
	}
}
