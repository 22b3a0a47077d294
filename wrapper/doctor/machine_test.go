package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/surroundings"
)

// startNamed starts a program and waits until the process has that name, through all execve(2).
func startNamed(t *testing.T, name string, argv []string) (pid int) {
	t.Helper()
	daemon, err := lab.Start(exec.Command(argv[0], argv[1:]...), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(daemon.KillAll)
	lab.Eventually(t, name+" runs", func() bool {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", daemon.PID()))
		return strings.TrimSpace(string(comm)) == name
	})
	return daemon.PID()
}

// The holder of port 25 is named unless it starts sendwrap, and a port without one as well.
func TestWhoHasThePort(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	const line = "25 stream tcp nowait.60000 root " + sendwrap + " sendwrap"
	const unserved = "port 25: nobody listens; start the super-server, or see README, Install"
	const startThere = "have it start sendwrap there, and restart it"
	s := site(t, "", nil)
	other, err := net.Listen("tcp", "127.0.0.1:587")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if got := s.found("unserved"); got != unserved || s.found("port_25") != "" {
		t.Errorf("with nobody there: %q", got)
	}
	done := site(t, "", files{config.SetupDir() + "/journal": ""})
	if got := done.found("unserved"); !strings.HasSuffix(got, "or sendwrap setup -undo") {
		t.Errorf("with nobody there after setup: %q", got)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimSpace(string(comm))
	named := func(name string) {
		if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	defer named(own)
	off := xinetd(t, "disable		= no", "disable = yes") // as the package has it
	for _, at := range []string{"127.0.0.1:25", "[::1]:25"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		held := func(name, write string) string {
			return fmt.Sprintf("port 25: it is held by %q (process %d); %s", name, os.Getpid(),
				write)
		}
		for _, tt := range []struct {
			name    string
			machine files
			want    string
		}{
			{own, nil, held(own, "unless it starts sendwrap, stop it")},
			{own, inetd(line), held(own, "unless it starts sendwrap, stop it")},
			{"inetd", nil, held("inetd", startThere)},
			{"inetd", inetd("587 " + line[3:]), held("inetd", startThere)},
			{"inetd", inetd(line), ""}, {"xinetd", xinetd(t), ""}, {"systemd", systemd(t), ""},
			{"tcpserver", nil, ""}, {"sendwrap-room", nil, ""},
			{own, off, held(own, "unless it starts sendwrap, stop it")},
			{"xinetd", off, held("xinetd", startThere)},
			{"inetd", xinetd(t), held("inetd", startThere)},
		} {
			named(tt.name)
			s := site(t, "", tt.machine)
			if got := s.found("off"); got != "" {
				t.Errorf("%s, %s: %q", at, tt.name, got)
			}
			if got := s.found("port_25"); got != tt.want || s.found("unserved") != "" {
				t.Errorf("%s, %s: %q; want %q", at, tt.name, got, tt.want)
			}
		}
		named(own)
		client, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		session, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		l.Close()
		if got := s.found("unserved"); got != unserved || s.found("port_25") != "" {
			t.Errorf("%s, with a session and nobody who listens: %q", at, got)
		}
	}

	// systemd has it now, and not after a reboot.
	l, err := net.Listen("tcp", "127.0.0.1:25")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	named("systemd")
	disabled := systemd(t)
	delete(disabled, units+"sockets.target.wants/sendwrap.socket")
	const want = "port 25: systemd has it, and these are not enabled: " +
		"sendwrap.socket; systemctl enable the one that runs"
	if s := site(t, "", disabled); s.found("at_boot") != want || s.found("port_25") != "" {
		t.Errorf("not enabled: %q, %q; want %q", s.found("at_boot"), s.found("port_25"), want)
	}
	if got := site(t, "", systemd(t)).found("at_boot"); got != "" {
		t.Errorf("enabled: %q", got)
	}
	named(own)
	if got := site(t, "", disabled).found("at_boot"); got != "" {
		t.Errorf("of another program: %q", got)
	}
}

// tcpserver is judged by its command line.
func TestTcpserver(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	program := lab.NeedProgram(t, "tcpserver")
	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ options, connections, lookups string }{
		{"-H -R -l0 -c 1500", "", ""},
		{"-HR -l mx.example.org -c1500", "", ""},
		{"-H", "tcpserver -c 40; write -c 1500", "tcpserver without -R -l0; write -R -l0"},
		{"-vRl0 -c 1299", "tcpserver -c 1299; write -c 1500", "tcpserver without -H; write -H"},
	} {
		argv := append(strings.Fields(tt.options), "127.0.0.1", fmt.Sprint(at.Port()), sendwrap)
		server, err := lab.Start(exec.Command(program, argv...), "")
		if err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "tcpserver listens", func() bool { return lab.Listening(at) })
		s := site(t, "", nil)
		for key, want := range map[string]string{
			"connections": tt.connections, "lookups": tt.lookups,
		} {
			if want != "" {
				want = fmt.Sprintf("process %d: %s", server.PID(), want)
			}
			if got := s.found(key); got != want {
				t.Errorf("%s: %q; want %q", tt.options, got, want)
			}
		}
		server.KillAll()
	}
}

// A super-server that may have too few threads is found, if it starts a process for each client.
// One of a container is not.
func TestTasksOfASuperServer(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	pid := sleeping(t, "inetd")
	sleeping(t, "inetd", lab.NeedProgram(t, "unshare"), "-n")
	const each = "25 stream tcp nowait.60000 root " + sendwrap + " sendwrap"
	few := fmt.Sprintf("process %d: inetd may have 3299 threads, and max_waiting 1000 and "+
		"max_sessions 300 need 3300; write TasksMax=9000 into its unit (systemctl edit), or a "+
		"lower max_waiting", pid)
	for _, tt := range []struct{ line, most, want string }{
		{each, "3299\n", few}, {each, "3300\n", ""}, {each, "max\n", ""},
		{strings.Replace(each, "nowait.60000", "wait", 1), "3299\n", ""},
		{"#<off># " + each, "3299\n", ""},
	} {
		machine := inetd(tt.line)
		machine["/sys/fs/cgroup/pids.max"] = tt.most
		if got := site(t, "", machine).found("tasks"); got != tt.want {
			t.Errorf("%s, %q: %q; want %q", tt.line, tt.most, got, tt.want)
		}
	}

	const unit = "/system.slice/inetd.service"
	s := site(t, "", files{"/sys/fs/cgroup" + unit + "/pids.max": "2000\n",
		"/sys/fs/cgroup/user.slice/pids.max":           "700\n",
		"/sys/fs/cgroup/user.slice/x.service/pids.max": "max\n",
		"/sys/fs/cgroup/user.slice/y.service/pids.max": "800\n"})
	for group, want := range map[string]int{
		unit: 2000, "/system.slice": 0, "/": 0, "/user.slice/x.service": 700,
		"/user.slice/y.service": 700,
	} {
		if got := s.tasksIn(group); got != want {
			t.Errorf("in %s there may be %d threads; want %d", group, got, want)
		}
	}
}

// A room that may open too few descriptors is found by its limit; that of a container is not.
func TestDescriptorsOfARoom(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	limited := []string{"/bin/sh", "-c", `ulimit -n 1000; exec "$@"`, "sh"}
	sleeping(t, "sendwrap-room", append(limited, lab.NeedProgram(t, "unshare"), "-n")...)
	pid := sleeping(t, "sendwrap-room", limited...)
	for conf, want := range map[string]string{
		"": fmt.Sprintf("process %d: the room may open 1000 descriptors, and max_waiting is "+
			"room=20000; write LimitNOFILE=1024:40000, or ulimit -H -n 40000 before it", pid),
		"max_waiting 500\n": "",
	} {
		if got := site(t, conf, nil).found("descriptors"); got != want {
			t.Errorf("%q: %q; want %q", conf, got, want)
		}
	}
}

// Another boot id, or another clock, is seen in the processes that have it.
func TestClocksOfOtherProcesses(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	unshare := lab.NeedProgram(t, "unshare")
	const id = "/proc/sys/kernel/random/boot_id"
	other := filepath.Join(t.TempDir(), "boot_id")
	const text = "0a3a8a2e-0000-4000-8000-000000000000\n"
	if err := os.WriteFile(other, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := site(t, "", nil)
	sleeping(t, "sendwrap-guard") // with nothing of its own
	if got := s.found("boot_id") + s.found("time_namespace"); got != "" {
		t.Errorf("with nothing of its own: %q", got)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	bound := func(file string) (pid int) {
		return sleeping(t, "sendwrap-guard", unshare, "-m", "/bin/sh", "-c",
			`mount --bind `+file+" "+id+` && exec "$@"`, "sh")
	}
	bound(fifo) // which nobody writes to
	bound("/dev/zero")
	pid := bound(other)
	want := fmt.Sprintf("process %d: sendwrap-guard sees another boot id in %s; "+
		"bind nothing over that file", pid, id)
	if got := s.found("boot_id"); got != want {
		t.Errorf("boot id: %q; want %q", got, want)
	}
	pid = sleeping(t, "sendwrap-room", unshare, "-T")
	want = fmt.Sprintf("process %d: sendwrap-room has a clock of its own (time_namespaces(7)); "+
		"start it without unshare -T", pid)
	if got := s.found("time_namespace"); got != want {
		t.Errorf("clock: %q; want %q", got, want)
	}
}

// This machine's facts name what is there.
func TestFacts(t *testing.T) {
	machine := inetd("#<off># smtp stream tcp nowait root " + sendwrap + " sendwrap")
	machine["/usr/sbin/exim4"], machine["/etc/exim4/exim4.conf"] = "\x7fELF", "x"
	machine["/etc/rsyslog.d/50.conf"] = "auth,authpriv.*\t/var/log/auth.log\n" +
		"*.*;mail.none -/var/log/syslog\nmail.info\t\t-/var/log/mail.log\n#mail.err /var/log/x\n"
	l, err := net.Listen("tcp", "127.0.0.1:587")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log"})
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove("/dev/log")
	defer log.Close()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	self := fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(comm)), os.Getpid())
	want := []Fact{
		{"MTA", "Exim: /usr/sbin/exim4, configured by /etc/exim4/exim4.conf"},
		{"started by", "inetd, /etc/inetd.conf:2: port smtp, a process for each client, " +
			"switched off"},
		{"port 587", "127.0.0.1:587: " + self},
		{"log", "/dev/log: " + self + ", mail to /var/log/mail.log"},
	}
	s := site(t, "", machine)
	if got := s.Facts(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	s.Machine = surroundings.Here()
	s.Facts() // whatever this machine has
}
