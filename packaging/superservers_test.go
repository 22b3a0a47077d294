package packaging

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestSystemdUnits(t *testing.T) {
	lab.Need(t, lab.NoNamespaces()) // sendwrap must be where the units say
	analyze := lab.NeedProgram(t, "systemd-analyze")
	units := []string{
		"sendwrap.socket", "sendwrap@.service", "sendwrap-room.socket", "sendwrap.service",
		"sendwrap-guard.socket", "sendwrap-guard.service",
		"sendwrap-metrics.service", "sendwrap-share.service",
		"sendwrap-report.timer", "sendwrap-report.service",
	}
	verify := func(unit, from, to string) string {
		t.Helper()
		dir := t.TempDir()
		cmd := exec.Command(analyze, "verify", "--man=no")
		for _, name := range units {
			text := read(t, name)
			if name == unit {
				text = replace(t, text, from, to)
			}
			path := filepath.Join(dir, name)
			write(t, path, text, 0o644)
			cmd.Args = append(cmd.Args, path)
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			return err.Error()
		}
		return string(out)
	}
	if said := verify("", "", ""); said != "" {
		t.Errorf("systemd-analyze verify:\n%s", said)
	}
	// An administrator may also write Accept=no in sendwrap.socket.
	if said := verify("sendwrap.socket", "\nAccept=yes", "\nAccept=no"); said != "" {
		t.Errorf("with Accept=no: systemd-analyze verify:\n%s", said)
	}
	for _, unit := range units {
		section := "[Service]\n"
		switch filepath.Ext(unit) {
		case ".socket":
			section = "[Socket]\n"
		case ".timer":
			section = "[Timer]\n"
		}
		said := verify(unit, section, section+"Nonsense=yes\n")
		if !strings.Contains(said, "Nonsense") || !strings.Contains(said, unit) {
			t.Errorf("%s: nothing is wrong with nonsense: this test proves nothing\n%s", unit, said)
		}
	}
	// systemd-analyze also finds a socket without its service, and a program that does not exist.
	for _, tt := range []struct{ unit, setting, present, gone string }{
		{"sendwrap-room.socket", "\nService=", "sendwrap.service", "sendwrap-gone.service"},
		{"sendwrap.service", "\nExecStart=", installed, "/nonexistent"},
		{"sendwrap-report.service", "\nExecStart=", installed, "/nonexistent"},
	} {
		said := verify(tt.unit, tt.setting+tt.present, tt.setting+tt.gone)
		if !strings.Contains(said, tt.gone) {
			t.Errorf("nothing is wrong without %s: this test proves nothing\n%s", tt.gone, said)
		}
	}
}

// What a unit may do is bounded: systemd's own count of that, in tenths, does not grow unseen.
// Where it is high, the unit says what it leaves out, and why.
func TestExposure(t *testing.T) {
	analyze := lab.NeedProgram(t, "systemd-analyze")
	exceeds := func(unit string, most int) (said string, yes bool) {
		out, err := exec.Command(analyze, "security", "--offline=yes", "--no-pager",
			"--threshold="+strconv.Itoa(most), unit).CombinedOutput()
		if !strings.Contains(string(out), "Overall exposure level for "+filepath.Base(unit)) {
			t.Fatalf("%s: %v\n%s", unit, err, out)
		}
		return string(out), err != nil
	}
	for unit, most := range map[string]int{
		"sendwrap-metrics.service": 25, "sendwrap-share.service": 35,
		"sendwrap-guard.service": 55, "sendwrap-report.service": 85,
	} {
		if said, yes := exceeds(unit, most); yes {
			t.Errorf("%s", said)
		}
		bare := filepath.Join(t.TempDir(), unit)
		write(t, bare, "[Service]\nExecStart=/bin/true\n", 0o644)
		if _, yes := exceeds(bare, most); !yes {
			t.Errorf("%s: a unit without limits is good enough: this test proves nothing", unit)
		}
	}
}

// Super-servers have limits by which one client could close the port for all. The test makes more
// quick connections than any default allows; each must be greeted. If one process serves all
// clients, it must be the same at the end. The files are used unchanged, and so the port is 25.
func TestNoFuse(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	for _, tt := range []struct{ name, needs, start, file, client, any string }{
		{"inetd", "inetd", "inetd -i", "inetd.conf", "127.0.0.1", "0.0.0.0"},
		{"inetd-wait", "inetd", "inetd -i", "inetd.conf", "127.0.0.1", "0.0.0.0"},
		{"xinetd", "xinetd", "xinetd -dontfork -stayalive -f", "xinetd/sendwrap", "::1", "::"},
		{"xinetd-wait", "xinetd", "xinetd -dontfork -stayalive -f", "xinetd/sendwrap-room", "::1",
			"::"},
		{"tcpserver", "tcpserver", "sh", "tcpserver.run", "127.0.0.1", "0.0.0.0"},
		{"listen", "sh", "sh", "listen.run", "::1", "::"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lab.NeedProgram(t, tt.needs)
			text := read(t, tt.file)
			if tt.name == "inetd-wait" { // the file has both lines, and one of them is a comment
				text = replace(t, text, "\n25\t", "\n# \t")
				text = replace(t, text, "\n#25\t", "\n25\t")
			}
			file := filepath.Join(t.TempDir(), filepath.Base(tt.file))
			write(t, file, text, 0o644)
			if tt.needs == "xinetd" { // as a plain cp to /etc/xinetd.d has it
				includes := filepath.Join(t.TempDir(), "xinetd.conf")
				write(t, includes, "includedir "+filepath.Dir(file)+"\n", 0o644)
				file = includes
			}
			start := append(strings.Fields(tt.start), file)
			server, err := lab.Start(exec.Command(lab.NeedProgram(t, start[0]), start[1:]...), "")
			if err != nil {
				t.Fatal(err)
			}
			defer server.KillAll()

			smtp := netip.AddrPortFrom(netip.MustParseAddr(tt.any), 25)
			lab.Eventually(t, "the super-server listens",
				func() bool { return lab.Listening(smtp) })
			greeted(t, tt.client, 1)
			rooms := roomsOf(server.PID())
			for range 7 {
				greeted(t, tt.client, 60)
			}
			if tt.name != "listen" && !strings.HasSuffix(tt.name, "-wait") {
				return
			}
			if after := roomsOf(server.PID()); len(rooms) != 1 || !slices.Equal(after, rooms) {
				t.Fatalf("processes %v serve at first, and %v in the end; want one", rooms, after)
			}
			// A room outlives its super-server.
			if err := unix.Kill(rooms[0], unix.SIGTERM); err != nil {
				t.Error(err)
			}
			lab.Eventually(t, "the room ends", func() bool { return !lab.Running(rooms[0]) })
		})
	}
}

// greeted connects n clients at once; all must be greeted.
func greeted(t *testing.T, client string, n int) {
	t.Helper()
	addr := netip.MustParseAddr(client)
	var all []*lab.Client
	for range n {
		c, err := lab.Dial(addr, netip.AddrPortFrom(addr, 25))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	for _, c := range all {
		if got, err := c.Reply(); err != nil || got != "220 ready" {
			t.Fatalf("a client gets %q, %v; want a greeting", got, err)
		}
	}
}

// roomsOf are the sendwrap processes that a super-server has started, or itself if it is one.
func roomsOf(parent int) []int {
	return lab.Processes(func(pid int) bool {
		stat := lab.ProcStat(pid)
		return len(stat) > 1 && (pid == parent || stat[1] == strconv.Itoa(parent)) &&
			slices.Contains(lab.Cmdline(pid), greeting())
	})
}
