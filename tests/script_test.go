package tests

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sendwrap/tests/lab"
)

// commands of the scripts; scripts/README.md says what each does.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"superserver":  cmdSuperserver,
	"daemon":       cmdDaemon,
	"stopserver":   cmdStopServer,
	"serverends":   cmdServerEnds,
	"rooms":        cmdRooms,
	"holdlock":     cmdHoldLock,
	"droplock":     cmdDropLock,
	"freeze":       cmdFreeze,
	"thaw":         cmdThaw,
	"client":       cmdClient,
	"clients":      cmdClients,
	"release":      cmdRelease,
	"maillog":      cmdMaillog,
	"sendwrap":     cmdSendwrap,
	"inside":       cmdInside,
	"eventually":   cmdEventually,
	"exits":        cmdExits,
	"deafsyslog":   cmdDeafSyslog,
	"nosyslog":     cmdNoSyslog,
	"syslog":       cmdSyslog,
	"rsyslog":      cmdRsyslog,
	"journald":     cmdJournald,
	"ledgercount":  cmdLedgerCount,
	"sessions":     cmdSessions,
	"serve":        cmdServe,
	"waitload":     cmdWaitLoad,
	"idle":         cmdIdle,
	"sendmailsite": cmdSendmailSite,
	"eximsite":     cmdEximSite,
	"install":      cmdInstall,
	"dns":          cmdDNS,
	"queries":      cmdQueries,
	"nameserver":   cmdNameserver,
}

// A script is one running txtar file.
type script struct {
	machine    *machine
	holders    map[string]*holder
	server     *lab.Daemon // started last
	lockHolder *lab.Daemon
	rsyslog    *lab.Daemon
	dns        map[string]dnsServer // resolver, lists
	nameserver *nameserver
	mode       mode
	exitCode   int // of the last program run
	t          testscript.T
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script   { return ts.Value(scriptKey{}).(*script) }
func machineOf(ts *testscript.TestScript) *machine { return scriptOf(ts).machine }

// find returns the path of a program, and skips the script if the machine has none.
func (s *script) find(program string) string { return lab.NeedProgram(s.t, program) }

// environ is the environment of the script's programs. Programs that the test binary plays must not
// take themselves for a stage of it.
func (s *script) environ(ts *testscript.TestScript) []string {
	return []string{"PATH=" + ts.Getenv("PATH"), "HOME=/", "LANG=C"}
}

// A way is how a script runs.
type way struct {
	kind   string // of super-server, unless the script says which
	family int    // 4 or 6
	mode   mode
}

// A mode is what a super-server starts.
type mode string

const (
	full   mode = "full" // the full program, a process for each client
	byDoor mode = "door" // the door, a process for each client
	inRoom mode = "room" // the door, which becomes the full program: a room for all clients
)

// program is the path of what is started.
func (m mode) program() string {
	if m == full {
		return os.Getenv("SENDWRAP")
	}
	return lab.Door(lab.Dir())
}

func (w way) String() string {
	if w.mode == byDoor {
		return fmt.Sprintf("%s-door-v%d", w.kind, w.family)
	}
	return fmt.Sprintf("%s-v%d", w.kind, w.family)
}

// TestScripts runs every script: inetd, IPv4, unless the script says otherwise. The full program
// serves each client, as it does where there is no door.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, way{"inetd", 4, full}, scriptFiles(t, "scripts/*.txtar"))
}

// TestScriptsByDoor runs the same scripts with the two programs that `make install` installs.
func TestScriptsByDoor(t *testing.T) {
	t.Parallel()
	runScripts(t, way{"inetd", 4, byDoor}, scriptFiles(t, "scripts/*.txtar"))
}

// TestScriptsInRoom runs the same scripts with all clients in one process. The few lines that are
// about one mode alone say so.
func TestScriptsInRoom(t *testing.T) {
	t.Parallel()
	runScripts(t, way{"inetd", 4, inRoom}, scriptFiles(t, "scripts/*.txtar"))
}

// TestRoom runs the scripts in room/, about what only a room has. Each says by which super-server.
func TestRoom(t *testing.T) {
	t.Parallel()
	runScripts(t, way{"inetd-wait", 4, byDoor}, scriptFiles(t, "scripts/room/*.txtar"))
}

// TestDoor runs the scripts in door/, about what only the door has.
func TestDoor(t *testing.T) {
	t.Parallel()
	runScripts(t, way{"inetd", 4, byDoor}, scriptFiles(t, "scripts/door/*.txtar"))
}

// TestDecision runs the scripts in decision/, one for each row of the decision, under every
// super-server, with a process for each client and in the room, on IPv4 and IPv6.
func TestDecision(t *testing.T) {
	t.Parallel()
	files := scriptFiles(t, "scripts/decision/*.txtar")
	for _, kind := range lab.SuperServers {
		for _, family := range []int{4, 6} {
			for _, w := range []way{
				{kind, family, full}, {kind, family, byDoor}, {lab.Waiting[kind], family, inRoom},
			} {
				t.Run(w.String(), func(t *testing.T) {
					t.Parallel()
					runScripts(t, w, files)
				})
			}
		}
	}
}

// TestAlone runs the scripts in alone/ one after the other: those that load the machine, and those
// that take an address that all scripts share.
func TestAlone(t *testing.T) {
	for _, file := range scriptFiles(t, "scripts/alone/*.txtar") {
		for _, w := range []way{{"inetd", 4, byDoor}, {"inetd-wait", 4, inRoom}} {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+w.kind, func(t *testing.T) {
				runScripts(t, w, []string{file})
			})
		}
	}
}

func scriptFiles(t *testing.T, pattern string) []string {
	lab.Need(t, lab.NoNamespaces())
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts %s: %v", pattern, err)
	}
	return files
}

// scriptsRun counts the scripts, to give each a server address and thereby a port 25 of its own.
var scriptsRun atomic.Int64

func runScripts(t *testing.T, w way, files []string) {
	sendmail := lab.Find("sendmail") // the stand-in, which testscript put first in $PATH
	// A super-server may start it as another user.
	if err := os.Chmod(filepath.Dir(filepath.Dir(sendmail)), 0o755); err != nil {
		t.Fatal(err)
	}
	packaging, err := filepath.Abs("../packaging")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:              files,
		Cmds:               commands,
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			n := scriptsRun.Add(1)
			vars := map[string]string{
				"SUPERSERVER": w.kind,
				"SENDWRAP":    w.mode.program(),
				"FULL":        os.Getenv("SENDWRAP"),
				"LIBEXEC":     filepath.Dir(os.Getenv("SENDWRAP")),
				"MTA":         sendmail,
				"PACKAGING":   packaging,
				"MX4":         fmt.Sprintf("198.18.%d.%d", n%256, 25+n/256),
				"MX6":         fmt.Sprintf("2001:db8:25::%x", n),
				"MX2":         fmt.Sprintf("198.18.%d.%d", n%256, 125+n/256),
				"DNS":         fmt.Sprintf("127.53.%d.%d", n/256, n%256),
			}
			if w.family == 4 {
				vars["MX"], vars["CLIENT"], vars["CLIENTNET"] = vars["MX4"], "192.0.2.9",
					"192.0.2.0/24"
				vars["NEIGHBOUR"], vars["OTHER"] = "192.0.2.10", "203.0.113.7"
			} else {
				vars["MX"], vars["CLIENT"], vars["CLIENTNET"] = vars["MX6"], "2001:db8:9:9::9",
					"2001:db8:9::/48"
				vars["NEIGHBOUR"], vars["OTHER"] = "2001:db8:9:a::9", "2001:db8:7::7"
			}
			for _, name := range slices.Sorted(maps.Keys(vars)) {
				env.Setenv(name, vars[name])
			}
			return setUpScript(env, w, vars)
		},
		Condition: func(what string) (bool, error) {
			if !slices.Contains([]string{"door", "room"}, what) {
				return false, fmt.Errorf("unknown condition %q", what)
			}
			return what == string(w.mode), nil
		},
	})
}

var variable = regexp.MustCompile(`\$(\w+|\{\w+\})`)

// setUpScript gives the script its machine and puts the values of $NAME into its files.
func setUpScript(env *testscript.Env, w way, vars map[string]string) error {
	for _, dir := range []string{filepath.Dir(env.WorkDir), env.WorkDir} {
		// Programs that run as another user must get through.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	vars["WORK"] = env.WorkDir
	expand := func(name string) string {
		if value, ok := vars[strings.Trim(name, "${}")]; ok {
			return value
		}
		return name // not ours: a shell's, perhaps
	}
	err := filepath.WalkDir(env.WorkDir, func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		// sendwrap trusts no file that others may write.
		if err := os.Chmod(name, 0o644); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(variable.ReplaceAllStringFunc(string(text), expand)),
			0o644)
	})
	if err != nil {
		return err
	}

	m, err := newMachine(filepath.Join(env.WorkDir, "maillog"))
	if err != nil {
		return err
	}
	s := &script{machine: m, holders: map[string]*holder{}, dns: map[string]dnsServer{},
		t: env.T(), mode: w.mode}
	env.Values[scriptKey{}] = s
	env.Defer(func() {
		for len(s.holders) > 0 {
			for name := range s.holders {
				_ = s.release(name) // the script did not ask what its dialogue comes to
			}
		}
		err := m.close()
		if t, ok := env.T().(interface{ Failed() bool }); ok && t.Failed() {
			env.T().Log("the mail log:\n" + m.log.Tail(40))
		}
		if err != nil {
			env.T().Fatal(err)
		}
	})
	return nil
}
