package tests

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// The released programs begin where fd 2 is hidden, and the Makefile builds what the tests test.
func TestEntryPoint(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(" \\\n\t", " ", "$(statedir)", "/var/lib/sendwrap", "'", "").
		Replace(string(makefile))
	for name, flags := range map[string][]string{
		"build := ": lab.BuildFlags, "door  := ": lab.DoorFlags("$(full)"),
	} {
		want := "\n" + name + "CGO_ENABLED=0 $(GO) build " + strings.Join(flags, " ") + "\n"
		if !strings.Contains(text, want) {
			t.Errorf("the Makefile has no line %q", want)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		checkEntry(t, arch, "_rt0_sendwrap", lab.BuildFlags)
		checkEntry(t, arch, lab.DoorEntry, symbols(lab.DoorFlags("/nowhere")))
	}
}

// symbols returns the flags for a program with its table of symbols.
func symbols(flags []string) []string {
	for i := range flags {
		flags[i] = strings.Replace(flags[i], "-s -w ", "", 1)
	}
	return flags
}

// checkEntry builds a program, which must begin at entry.
func checkEntry(t *testing.T, arch, entry string, flags []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), arch)
	t.Setenv("CGO_ENABLED", "0")
	if err := lab.BuildWith(path, "GOARCH="+arch, flags...); err != nil {
		t.Fatal(err)
	}
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	symbols, err := program.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	begin := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Value == program.Entry })
	if begin < 0 || symbols[begin].Name != entry {
		t.Errorf("%s begins at %#x; want %s", arch, program.Entry, entry)
	}
	// Nothing can write before: there is no dynamic loader.
	if libs, err := program.ImportedLibraries(); err != nil || len(libs) > 0 ||
		program.Section(".interp") != nil {
		t.Errorf("%s needs libraries %q, %v; want none", arch, libs, err)
	}
}

// What starts for each client is small, whatever the machine.
func TestDoorIsSmall(t *testing.T) {
	const most = 2_550_000 // bytes
	t.Setenv("CGO_ENABLED", "0")
	for _, arch := range []string{"amd64", "arm64"} {
		path := filepath.Join(t.TempDir(), arch)
		err := lab.BuildWith(path, "GOARCH="+arch, lab.DoorFlags("/nowhere")...)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() > most {
			t.Errorf("the door for %s has %d bytes, %v; want at most %d", arch, info.Size(), err,
				most)
		}
	}
}

// smtp is what a client may read.
var smtp = regexp.MustCompile(`^([245]\d\d[ -][^\r\n]*\r\n)*$`)

// If the number of processes and threads is limited, a program cannot begin or lacks a thread, and
// Go says so on fd 2: under inetd and xinetd the client's socket. No client may read that,
// whichever thread is missing. A program without the entry point shows at the same limits that
// there is something to be read.
func TestThreadLimit(t *testing.T) {
	lab.NeedRoot(t)
	without := filepath.Join(publicDir(t), "without")
	if err := lab.BuildWith(without, "CGO_ENABLED=0", "-trimpath"); err != nil {
		t.Fatal(err)
	}
	limits := map[string]limiter{
		"RLIMIT_NPROC": func(t *testing.T, most int) ([]string, func(int)) {
			return []string{lab.NeedProgram(t, "prlimit"), fmt.Sprint("--nproc=", most)},
				func(int) {}
		},
		"pids.max": func(t *testing.T, most int) ([]string, func(int)) {
			group := lab.NewPidsGroup(t)
			group.Limit(1 + most) // the super-server is one
			return nil, group.Add
		},
	}
	programs := []string{without, lab.Door(lab.Dir()), os.Getenv("SENDWRAP")}
	for _, kind := range []string{"inetd", "xinetd", "tcpserver"} {
		for name, limit := range limits {
			t.Run(kind+"/"+name, func(t *testing.T) {
				silent, met := true, 0
				for most, answered := 1, false; !answered && !t.Failed(); most++ {
					for _, program := range programs {
						name := fmt.Sprintf("%s %d", filepath.Base(filepath.Dir(program)), most)
						t.Run(name, func(t *testing.T) {
							var said bool
							said, answered = clientAtLimit(t, kind, most, program, limit)
							silent = silent && !said
						})
					}
					if !answered {
						met++
					}
				}
				if silent || met == 0 {
					t.Errorf("%d limits were met, and Go said nothing at any: the test proves "+
						"nothing", met)
				}
			})
		}
	}
}

// limiter makes a limit of n processes: words before a super-server's command line, and a function
// to call when it runs.
type limiter func(t *testing.T, most int) (before []string, limit func(server int))

// clientAtLimit reports whether Go wrote anything, to a client or, if fd 2 is not a client's, to
// the log; and whether sendwrap answered the client.
func clientAtLimit(t *testing.T, kind string, most int, program string, limit limiter) (
	said, answered bool) {
	dir := publicDir(t)
	conf, log := filepath.Join(dir, "conf"), filepath.Join(dir, "log")
	text := fmt.Sprintf("mta /bin/true\ngreet_delay 60s stress=60s\nlog none\nledger %s/ledger "+
		"clients=1024\n", dir)
	at, err := lab.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err == nil {
		err = os.WriteFile(conf, []byte(text), 0o644)
	}
	if err == nil {
		err = os.Chown(dir, lab.LimitedID, lab.LimitedID)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, put := limit(t, most) // made before the server, so that it goes later
	put(startLimited(t, before, kind, dir, log, at, program, "-f", conf).PID())

	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * lab.Patience))
	_, _ = conn.Write([]byte("EHLO bot.example\r\n"))
	heard, err := io.ReadAll(conn) // a reset is an end like any other
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection did not end")
	}
	logged, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	said = strings.Contains(string(logged), "runtime: ")
	if !smtp.Match(heard) {
		if said = true; filepath.Base(program) != "without" || kind == "tcpserver" {
			t.Errorf("the client read\n%.300s", heard)
		}
	}
	answered = strings.HasPrefix(string(heard), "554 ")
	t.Logf("Go had its say: %v; the client was answered: %v", said, answered)
	return said, answered
}

// publicDir is a directory that LimitedUser can look into.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(lab.Dir(), "public")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// startLimited starts a super-server that runs the program as LimitedUser.
func startLimited(t *testing.T, before []string, kind, dir, log string, at netip.AddrPort,
	program ...string) *lab.Daemon {
	t.Helper()
	argv, missing, err := lab.SuperServer(kind, dir, []netip.AddrPort{at}, program...)
	if err != nil {
		t.Fatal(err)
	}
	lab.Need(t, missing)
	if kind == "tcpserver" {
		argv = slices.Insert(argv, 1, "-u", fmt.Sprint(lab.LimitedID), "-g",
			fmt.Sprint(lab.LimitedID))
	} else {
		conf := filepath.Join(dir, kind+".conf")
		text, err := os.ReadFile(conf)
		if err == nil {
			text = regexp.MustCompile(`\broot\b`).ReplaceAll(text, []byte(lab.LimitedUser))
			err = os.WriteFile(conf, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	argv = append(before, argv...)
	server, err := lab.Start(exec.Command(argv[0], argv[1:]...), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.KillAll)
	lab.Eventually(t, "the super-server listens", func() bool { return lab.Listening(at) })
	return server
}
