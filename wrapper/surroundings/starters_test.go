package surroundings

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// What packaging/ has starts sendwrap, each file by itself. What is switched off, commented out or
// another program's is not taken for it.
func TestStarters(t *testing.T) {
	const socket, service = "/etc/systemd/system/sendwrap.socket",
		"/etc/systemd/system/sendwrap@.service"
	const room = "/usr/lib/systemd/system/sendwrap-room.socket"
	inetd := packaged(t, "inetd.conf")
	xinetd := packaged(t, "xinetd/sendwrap")
	const includes = "defaults\n{\n\tinstances = 60\n}\nincludedir /etc/xinetd.d\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, ""},
		{"inetd", map[string]string{InetdConf: inetd},
			"inetd /etc/inetd.conf:LINE [25] on:true room:false"},
		{"inetd, wait", map[string]string{InetdConf: "192.0.2.1:smtp stream tcp wait.100 " +
			"root.root /usr/local/sbin/sendwrap sendwrap\n"},
			"inetd /etc/inetd.conf:1 [192.0.2.1:smtp] on:true room:true"},
		{"inetd, off", map[string]string{InetdConf: "\n#<off># smtp stream tcp nowait root " +
			"/usr/sbin/tcpd /usr/local/sbin/sendwrap\n#smtp stream tcp nowait root /sendwrap x\n" +
			"smtp stream tcp nowait root /usr/sbin/sendmail sendmail -bs\n"},
			"inetd /etc/inetd.conf:2 [smtp] on:false room:false"},
		{"xinetd", map[string]string{XinetdConf: includes, "/etc/xinetd.d/sendwrap": xinetd},
			"xinetd /etc/xinetd.d/sendwrap:LINE [smtp] on:true room:false"},
		{"xinetd, room", map[string]string{XinetdConf: includes,
			"/etc/xinetd.d/sendwrap": packaged(t, "xinetd/sendwrap-room")},
			"xinetd /etc/xinetd.d/sendwrap:LINE [smtp] on:true room:true"},
		{"xinetd, with a dot", map[string]string{XinetdConf: includes,
			"/etc/xinetd.d/sendwrap.conf": xinetd},
			"xinetd /etc/xinetd.d/sendwrap.conf:LINE [smtp] on:false room:false"},
		{"xinetd, disabled", map[string]string{XinetdConf: "defaults\n{\ndisabled = a smtp\n}\n" +
			"include /etc/mine\n", "/etc/mine": xinetd},
			"xinetd /etc/mine:LINE [smtp] on:false room:false"},
		{"xinetd, bound", map[string]string{XinetdConf: "service smtp1\n{\n\tbind = 192.0.2.1\n" +
			"port = 2525\nserver=/sbin/sendwrap\nserver_args = -f /etc/x\ndisable = yes\n}\n"},
			"xinetd /etc/xinetd.conf:1 [192.0.2.1:2525] on:false room:false"},
		{"systemd", map[string]string{socket: packaged(t, "sendwrap.socket"),
			service: packaged(t, "sendwrap@.service")},
			"systemd " + socket + " [25] on:false room:false"},
		{"systemd, enabled, and on another port", map[string]string{
			socket: packaged(t, "sendwrap.socket"), service: packaged(t, "sendwrap@.service"),
			socket + ".d/port.conf": "[Socket]\nListenStream=\nListenStream=192.0.2.1:2525\n",
			"/etc/systemd/system/sockets.target.wants/sendwrap.socket": "-> " + socket},
			"systemd " + socket + " [192.0.2.1:2525] on:true room:false"},
		{"systemd, room", map[string]string{room: packaged(t, "sendwrap-room.socket"),
			"/usr/lib/systemd/system/sendwrap.service": packaged(t, "sendwrap.service")},
			"systemd " + room + " [25] on:false room:true"},
		{"systemd, masked", map[string]string{room: packaged(t, "sendwrap-room.socket"),
			"/usr/lib/systemd/system/sendwrap.service": packaged(t, "sendwrap.service"),
			"/etc/systemd/system/sendwrap-room.socket": "-> /dev/null"}, ""},
		{"systemd, without the service", map[string]string{
			room: packaged(t, "sendwrap-room.socket")}, ""},
		{"systemd, the guard", map[string]string{
			"/etc/systemd/system/sendwrap-guard.socket":  packaged(t, "sendwrap-guard.socket"),
			"/etc/systemd/system/sendwrap-guard.service": packaged(t, "sendwrap-guard.service")},
			""},
		{"systemd, listen", map[string]string{"/etc/systemd/system/mine.service": "[Service]\n" +
			"ExecStart=/usr/local/sbin/sendwrap listen -f /etc/x \\\n  25 [::1]:26\n"},
			"systemd /etc/systemd/system/mine.service [25 [::1]:26] on:false room:true"},
		{"systemd, listen, in one word", map[string]string{
			"/etc/systemd/system/mine.service": "[Service]\nExecStart=/sendwrap listen -f=/x 25\n"},
			"systemd /etc/systemd/system/mine.service [25] on:false room:true"},
		{"systemd, listen, without an address", map[string]string{
			"/etc/systemd/system/mine.service": "[Service]\nExecStart=/sendwrap listen -f\n"},
			"systemd /etc/systemd/system/mine.service [] on:false room:true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			m := machineWith(t, tt.files)
			for _, s := range m.Starters() {
				got = append(got, fmt.Sprintf("%s %s %v on:%v room:%v",
					s.By, s.Where, s.Ports, s.On, s.Room))
			}
			want := tt.want
			for name := range tt.files { // the line where it begins
				text, _ := m.Text(name)
				for i, line := range strings.Split(text, "\n") {
					if strings.HasPrefix(line, "25\t") || strings.HasPrefix(line, "service ") {
						want = strings.Replace(want, "LINE", fmt.Sprint(i+1), 1)
					}
				}
			}
			if strings.Join(got, "\n") != want {
				t.Errorf("got %q; want %q", got, want)
			}
		})
	}
}

// A tcpserver and a room that listens are found by their command lines.
func TestStartersByCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"tcpserver -H -R -l0 -c 1500 -b 512 0 smtp /sbin/sendwrap":  "smtp",
		"/usr/bin/tcpserver -vHRc 40 -- :: 25 /sbin/sendwrap -f /x": "25",
		"tcpserver 0 25":                  "",
		"tcpserver -x cdb 0 465 sendwrap": "465",
		"tcpsvd 0 25 sendwrap":            "",
	} {
		if got, ok := ParseTcpserver(strings.Fields(line)); ok != (want != "") ||
			ok && (got.Port != want || len(got.Program) == 0) {
			t.Errorf("%s: %+v, %v; want port %q", line, got, ok, want)
		}
	}
	lab.Need(t, lab.NoNamespaces())
	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	argv := strings.Fields("-H -R -l0 -c 9 127.0.0.1 PORT /usr/local/sbin/sendwrap -f /etc/x")
	argv[6] = fmt.Sprint(at.Port())
	server, err := lab.Start(exec.Command(lab.NeedProgram(t, "tcpserver"), argv...), "")
	if err != nil {
		t.Fatal(err)
	}
	defer server.KillAll()
	lab.Eventually(t, "tcpserver listens", func() bool { return lab.Listening(at) })
	want := Starter{"tcpserver", fmt.Sprintf("process %d", server.PID()), argv[6:7], true, false}
	got := machineWith(t, nil).Starters()
	if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("got %v; want %v", got, want)
	}
}

// Listeners names who has a port, whatever the family.
func TestListeners(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	var ports []uint16
	var want []string
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		client, err := net.Dial("tcp", l.Addr().String()) // a session of it is no listener
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ports = append(ports, uint16(l.Addr().(*net.TCPAddr).Port))
		want = append(want, l.Addr().String())
	}
	got := Listeners(ports...)
	for i := range got {
		p := got[i].Processes
		if len(p) != 1 || p[0].PID != os.Getpid() || !slices.Equal(p[0].Command, os.Args) {
			t.Errorf("%v is of %+v", got[i].Address, p)
		}
	}
	if len(got) != 2 || got[0].Address.String() != want[0] || got[1].Address.String() != want[1] {
		t.Errorf("got %+v; want %v", got, want)
	}
	if got := Listeners(1); got != nil {
		t.Errorf("port 1: %+v", got)
	}
}
