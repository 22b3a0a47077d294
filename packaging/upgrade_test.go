package packaging

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A room goes on as the full program that make install has put in the place of its own. It may have
// begun as one of a version that had no door: then it finds the door in its own place.
func TestSIGUSR2AfterInstall(t *testing.T) {
	lab.NeedProgram(t, "make")
	prefix := filepath.Join(t.TempDir(), "prefix")
	s := newSource(t, prefix)
	for name, flags := range map[string][]string{
		"sendwrap": lab.BuildFlags, "sendwrap-door": lab.DoorFlags(lab.Full(prefix)),
	} {
		name = filepath.Join(s.dir, name)
		if err := os.Remove(name); err != nil { // go overwrites no script
			t.Fatal(err)
		}
		if err := lab.BuildWith(name, "CGO_ENABLED=0", flags...); err != nil {
			t.Fatal(err)
		}
	}
	install := func() {
		t.Helper()
		s.must("install", "prefix="+prefix, "sysconfdir="+prefix+"/etc")
	}
	for _, begins := range []string{"with the door", "without a door"} {
		t.Run(begins, func(t *testing.T) {
			install()
			if begins == "without a door" {
				must(t, "cp", "--remove-destination", lab.Full(prefix), lab.Door(prefix))
			}
			r := startRoom(t, lab.Door(prefix))
			waits := r.dial()
			for times := range 2 {
				before := r.exe()
				install()
				if now := r.exe(); now != before+" (deleted)" {
					t.Fatalf("after make install the room is %s; want it to be deleted", now)
				}
				_ = unix.Kill(r.PID(), unix.SIGUSR2)
				r.eventually("the new program has taken over", func() bool {
					log, err := os.ReadFile(r.log)
					return err == nil && times+1 ==
						strings.Count(string(log), "a new program has taken over 1 clients")
				})
				if now := r.exe(); now != lab.Full(prefix) {
					t.Errorf("after SIGUSR2 the room is %s; want %s", now, lab.Full(prefix))
				}
			}
			if _, err := waits.Write([]byte("EHLO bot.example\r\n")); err != nil {
				t.Fatal(err)
			}
			_ = waits.SetReadDeadline(time.Now().Add(lab.Patience))
			reply, err := bufio.NewReader(waits).ReadString('\n')
			if err != nil || !strings.HasPrefix(reply, "554 ") {
				t.Errorf("the client that has waited reads %q, %v", reply, err)
			}
		})
	}
}

// A sendwrap.conf that is a link stays one, even if its file is not there just now.
func TestInstallKeepsLink(t *testing.T) {
	s := newSource(t, "/usr/local")
	root := filepath.Join(s.dir, "root")
	conf := filepath.Join(root, "etc/sendwrap.conf")
	if err := errors.Join(os.MkdirAll(filepath.Dir(conf), 0o755),
		os.Symlink("/srv/mine.conf", conf)); err != nil {
		t.Fatal(err)
	}
	s.must("install", "DESTDIR="+root)
	if to, err := os.Readlink(conf); to != "/srv/mine.conf" {
		t.Errorf("sendwrap.conf is a link to %q, %v", to, err)
	}
}

// aRoom is a room on a port of its own.
type aRoom struct {
	*lab.Daemon
	t    *testing.T
	at   netip.AddrPort
	conf string
	log  string
}

func startRoom(t *testing.T, program string) aRoom {
	t.Helper()
	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := aRoom{t: t, at: at, conf: filepath.Join(dir, "sendwrap.conf"),
		log: filepath.Join(dir, "log")}
	write(t, r.conf, fmt.Sprintf("mta /bin/true\ngreet_delay 290s\nlog stderr\n"+
		"ledger %s/state/ledger clients=1024\n", dir), 0o644)
	r.Daemon, err = lab.Start(exec.Command(program, "listen", "-f", r.conf, at.String()), r.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.KillAll)
	r.eventually("the room listens", func() bool { return lab.Listening(at) })
	return r
}

// eventually shows the log if something does not happen.
func (r aRoom) eventually(what string, ok func() bool) {
	r.t.Helper()
	if !lab.Await(func() bool { return ok() || r.Ended() }) || !ok() {
		log, _ := os.ReadFile(r.log)
		r.t.Fatalf("not within %v: %s\n%s", lab.Patience, what, log)
	}
}

// dial returns a client that the room keeps waiting. A connection alone may be the kernel's work: a
// room that has counted the client hears signals, too, and hands the client over.
func (r aRoom) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.at.String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	r.eventually("the client waits", func() bool {
		var status struct{ Sessions struct{ Waiting int } }
		out, err := exec.Command(program(), "status", "-f", r.conf, "-json").Output()
		return err == nil && json.Unmarshal(out, &status) == nil && status.Sessions.Waiting == 1
	})
	return conn
}

func (r aRoom) exe() string {
	r.t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID()))
	if err != nil {
		r.t.Fatal(err)
	}
	return exe
}
