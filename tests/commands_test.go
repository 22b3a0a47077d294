package tests

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sendwrap/tests/lab"
)

// run runs a program on the script's machine, for `stdout`, `stderr` and `exits` to look at.
func (s *script) run(ts *testscript.TestScript, neg bool, argv []string) {
	code, stdout, stderr, err := s.machine.run(ts.MkAbs("."), s.environ(ts), argv)
	fmt.Fprint(ts.Stdout(), stdout)
	fmt.Fprint(ts.Stderr(), stderr)
	ts.Check(err)
	s.exitCode = code
	if (code != 0) != neg {
		ts.Fatalf("exit code %d", code)
	}
}

// sendwrap ARG… runs sendwrap with these arguments and nothing on stdin; it must exit with 0, or
// `! sendwrap` with something else.
func cmdSendwrap(ts *testscript.TestScript, neg bool, args []string) {
	scriptOf(ts).run(ts, neg, append([]string{ts.Getenv("SENDWRAP")}, args...))
}

// inside PROGRAM ARG… runs a program where the super-server and sendwrap run: it sees their /dev
// and their mounts.
func cmdInside(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: inside PROGRAM ARG…")
	}
	s := scriptOf(ts)
	s.run(ts, neg, append([]string{s.find(args[0])}, args[1:]...))
}

// eventually PROGRAM ARG… is `inside`, again and again until it succeeds.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually PROGRAM ARG…")
	}
	s := scriptOf(ts)
	var code int
	var stdout, stderr string
	if !lab.Await(func() (done bool) {
		var err error
		code, stdout, stderr, err = s.machine.run(ts.MkAbs("."), s.environ(ts), args)
		ts.Check(err)
		return code == 0
	}) {
		ts.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// exits N: the exit code of the last sendwrap, serve or inside must have been N.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: exits N")
	}
	if got := strconv.Itoa(scriptOf(ts).exitCode); got != args[0] {
		ts.Fatalf("exit code %s; want %s", got, args[0])
	}
}

// status is what `sendwrap status -json` says.
type status struct {
	Sessions map[string]int
	Clients  int
	Blocked  int
	Verdicts map[string]int
}

// readStatus fails if the ledger cannot be had, as may happen while many others use it.
func readStatus(ts *testscript.TestScript) (st status, err error) {
	s := scriptOf(ts)
	argv := []string{ts.Getenv("SENDWRAP"), "status", "-f", ts.MkAbs("sendwrap.conf"), "-json"}
	code, stdout, stderr, err := s.machine.run(ts.MkAbs("."), s.environ(ts), argv)
	ts.Check(err)
	switch code {
	case 0:
		ts.Check(json.Unmarshal([]byte(stdout), &st))
	case 111: // come back later
		err = fmt.Errorf("%q: %s", argv, stderr)
	default:
		ts.Fatalf("%q: exit code %d: %s", argv, code, stderr)
	}
	return st, err
}

// waitCount waits until a count of the ledger is as wanted: it depends on processes that end in
// their own time.
func waitCount(ts *testscript.TestScript, args []string, count func(status, string) (int, bool)) {
	if len(args) != 2 {
		ts.Fatalf("usage: ledgercount VERDICT N, sessions waiting|serving|clients|blocked N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	var st status
	if !lab.Await(func() bool {
		if st, err = readStatus(ts); err != nil {
			return false
		}
		got, ok := count(st, args[0])
		if !ok {
			ts.Fatalf("the ledger has no count %q: %+v", args[0], st)
		}
		return got == want
	}) {
		ts.Fatalf("want %s to be %d: %+v, %v", args[0], want, st, err)
	}
}

// ledgercount VERDICT N
func cmdLedgerCount(ts *testscript.TestScript, neg bool, args []string) {
	waitCount(ts, args, func(st status, verdict string) (int, bool) {
		n, ok := st.Verdicts[verdict]
		return n, ok
	})
}

// believed is the time for which sendwrap may use its counts of a crowd again, and a little more.
const believed = 1100 * time.Millisecond

// sessions waiting|serving|clients|blocked N
//
// When as many are served, sendwrap knows: near a limit it may use counts that are up to a second
// old.
func cmdSessions(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 && args[0] == "serving" {
		defer time.Sleep(believed)
	}
	waitCount(ts, args, func(st status, what string) (int, bool) {
		switch what {
		case "clients":
			return st.Clients, true
		case "blocked":
			return st.Blocked, true
		}
		n, ok := st.Sessions[what]
		return n, ok
	})
}

// idle waits until every process that the super-server started is gone.
func cmdIdle(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(machineOf(ts).idle())
}

// sendmailsite [access [MC]]
//
// Makes a real sendmail's site in $WORK/site. Alice's mail goes to site/alice. With access sendmail
// follows the access map site/access. The file MC has further lines of sendmail.mc.
func cmdSendmailSite(ts *testscript.TestScript, neg bool, args []string) {
	lab.Need(scriptOf(ts).t, lab.NoSendmail())
	site := lab.SendmailSite{
		Dir:   filepath.Join(ts.Getenv("WORK"), "site"),
		Boxes: map[string][]string{"alice": {"alice"}},
	}
	ts.Check(os.MkdirAll(site.Dir, 0o755))
	if len(args) > 0 && args[0] == "access" {
		site.Extras = "FEATURE(`access_db', `hash -T<TMPF> SITE/access', `skip')dnl\n"
		text, err := os.Open(filepath.Join(site.Dir, "access"))
		ts.Check(err)
		defer text.Close()
		makemap := exec.Command("makemap", "hash", text.Name())
		makemap.Stdin = text
		ts.Check(makemap.Run())
	}
	if len(args) > 1 {
		site.Extras += ts.ReadFile(args[1])
	}
	ts.Check(site.Make())
}

// eximsite DIR [client]
//
// Makes a real Exim's site in $WORK/DIR, with the program DIR/exim4 and the configuration
// DIR/exim.conf. It delivers into DIR/spool/box; as a client it sends from $CLIENT to port 25 of
// $MX instead, and before the greeting where the server has offered that.
func cmdEximSite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 || len(args) == 2 && args[1] != "client" {
		ts.Fatalf("usage: eximsite DIR [client]")
	}
	lab.Need(scriptOf(ts).t, lab.NoExim())
	site := lab.EximSite{Dir: ts.MkAbs(args[0])}
	if len(args) == 2 {
		to, err := netip.ParseAddr(ts.Getenv("MX"))
		ts.Check(err)
		site.To = netip.AddrPortFrom(to, 25)
		site.From, err = netip.ParseAddr(ts.Getenv("CLIENT"))
		ts.Check(err)
	}
	ts.Check(os.Mkdir(site.Dir, 0o755))
	ts.Check(site.Make())
}

// install PACKAGE…
//
// Puts the files of packages that conflict with the machine's own where they belong, for programs
// that start later.
func cmdInstall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: install PACKAGE…")
	}
	lab.Need(scriptOf(ts).t, lab.NotUnpacked(args...))
	var err error
	machineOf(ts).Do(func() { err = lab.Install(args...) })
	ts.Check(err)
}

// waitload X makes the 1-minute load average at least X, a small number. The kernel works it out
// every 5 s.
func cmdWaitLoad(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitload X")
	}
	want, err := strconv.ParseFloat(args[0], 64)
	ts.Check(err)
	if !lab.Await(func() bool {
		for busy := time.Now().Add(20 * time.Millisecond); time.Now().Before(busy); {
		}
		text, err := os.ReadFile("/proc/loadavg")
		ts.Check(err)
		load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
		ts.Check(err)
		return load >= want
	}) {
		ts.Fatalf("the load average stays below %v", want)
	}
}
