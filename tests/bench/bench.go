package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// measurement is what -only names: one experiment, which gives one or more rows.
type measurement struct {
	name   string
	budget time.Duration // many times what it takes: machines differ
	run    func(*bench)
}

// measurements returns all of them, in the order of the table.
func measurements() []measurement {
	return []measurement{
		{"counts", 10 * time.Minute, measureCounts},
		{"calls", 5 * time.Minute, measureCalls},
		{"refused", 10 * time.Minute, measureRefused},
		{"start", 5 * time.Minute, measureStart},
		{"memory", 10 * time.Minute, measureMemory},
		{"networks", 10 * time.Minute, measureNetworks},
		{"access", 5 * time.Minute, measureAccessMap},
		{"compile", 10 * time.Minute, measureCompile},
		{"report", 10 * time.Minute, measureReport},
		{"top", 5 * time.Minute, measureTop},
		{"session", 5 * time.Minute, measureSession},
		{"ledger", 5 * time.Minute, measureLedger},
		{"room-refused", 10 * time.Minute, measureRoomRefused},
		{"room-rate", 10 * time.Minute, measureRoomRate},
		{"room-flood", 5 * time.Minute, measureRoomFlood},
		{"room-memory", 10 * time.Minute, measureRoomMemory},
		{"room-known", 10 * time.Minute, measureRoomKnown},
		{"room-spawn", 5 * time.Minute, measureRoomSpawn},
		{"lists-cpu", 10 * time.Minute, withLists((*listsBench).cpu)},
		{"lists-queries", 5 * time.Minute, withLists((*listsBench).queries)},
		{"lists-times", 5 * time.Minute, withLists((*listsBench).times)},
		{"lists-counts", 5 * time.Minute, withLists((*listsBench).counts)},
		{"lists-memory", 5 * time.Minute, withLists((*listsBench).memory)},
		{"flood-blocked", 5 * time.Minute, measureFloodBlocked},
		{"flood-networks", 5 * time.Minute, measureFloodNetworks},
		{"flood-quiet", 5 * time.Minute, measureFloodQuiet},
		{"flood-idle", 5 * time.Minute, measureFloodIdle},
		{"flood-blocks", 5 * time.Minute, measureFloodBlocks},
		{"flood-readers", 5 * time.Minute, measureFloodReaders},
		{"dictionary", 20 * time.Minute, measureDictionary},
		{"guard-message", 10 * time.Minute, measureGuardMessage},
		{"guard-memory", 10 * time.Minute, measureGuardMemory},
		{"promises", 10 * time.Minute, measurePromises},
	}
}

func (m measurement) budgetOf(o options) time.Duration {
	if o.budget > 0 {
		return o.budget
	}
	return m.budget
}

func names() []string {
	var all []string
	for _, m := range measurements() {
		all = append(all, m.name)
	}
	return all
}

// choose returns the measurements that only names; "" names all, and "flood" all of the name
// "flood-…".
func choose(only string) ([]measurement, error) {
	all := measurements()
	if only == "" {
		return all, nil
	}
	var chosen []measurement
	for _, name := range strings.Split(only, ",") {
		found := false
		for _, m := range all {
			if m.name == name || strings.HasPrefix(m.name, name+"-") {
				chosen, found = append(chosen, m), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only %q: no such measurement; write any of %s",
				name, strings.Join(names(), ","))
		}
	}
	return chosen, nil
}

// bench is what every measurement works with.
type bench struct {
	*state
	dir     string // private; holds the programs of build and all configurations
	log     *logReader
	server  *superServer // starts the programs
	group   *memoryGroup // what all daemons are members of; nil: of none
	rounds  int          // how many values a median is made of
	slices  int          // how often all programs take turns in a round
	conns   int          // connections a program gets in one turn
	quick   bool
	before  bool         // there is an older sendwrap, too
	door    bool         // sendwrap is a door and a full program
	network netip.Prefix // of all clients and the super-server
}

// state is what changes while something is measured.
type state struct {
	out     *json.Encoder // takes the rows
	due     time.Time     // then the budget is used up
	budget  time.Duration
	cut     string     // why the rows that come now are not made of all rounds; "" = they are
	next    netip.Addr // the next client's
	daemons []*daemon  // all that have been started
}

// errLate says that there is no time left for what has not been measured yet.
var errLate = errors.New("over its budget")

// late returns an error when the budget is used up.
func (l *bench) late() error {
	if time.Now().Before(l.due) {
		return nil
	}
	return fmt.Errorf("%w of %v", errLate, l.budget)
}

// put prints rows that are done. If nobody reads them, this process is about to be ended.
func (l *bench) put(rows ...row) {
	for _, r := range rows {
		r.Late = l.cut
		_ = l.out.Encode(r)
	}
}

// part makes a part of the measurement. If it fails, a row says so, and the next part follows.
func (l *bench) part(what string, make func()) {
	_, err := try(func() (any, error) { make(); return nil, nil })
	if errors.Is(err, errLate) {
		check(err)
	}
	if err != nil {
		l.put(row{What: what, Error: err.Error()})
	}
}

// fewer is the bench with that many times fewer connections, for slow programs.
func (l *bench) fewer(times int) *bench {
	few := *l
	few.slices = max(l.slices/times, 1)
	return &few
}

// stop ends all daemons, the last one first.
func (l *bench) stop() error {
	var errs []error
	for _, d := range slices.Backward(l.daemons) {
		errs = append(errs, d.stop())
	}
	return errors.Join(errs...)
}

func newBench(o options, dir string, budget time.Duration, out *json.Encoder) (*bench, error) {
	l := &bench{dir: dir, rounds: o.rounds, slices: 20, conns: 10, quick: o.quick}
	l.before, l.door = o.before != "", o.sendwrap == ""
	l.network = benchmarkClients
	l.state = &state{out: out, budget: budget, due: time.Now().Add(budget)}
	if o.quick {
		l.rounds, l.slices = min(o.rounds, 2), 4
	}
	var err error
	if l.log, err = readLog("/dev/log"); err != nil {
		return nil, err
	}
	if l.server, err = listen(l.network.Addr().Next()); err != nil {
		return nil, err
	}
	l.rewind()
	return l, l.checkRusage()
}

// benchmarkClients are set aside for benchmarks (RFC 2544 appendix C.2.2). 127/8 would not do: the
// Perl sendwrap and many configurations allow it.
var benchmarkClients = netip.MustParsePrefix("198.18.0.0/15")

// client returns an address that no client of the measurement had before, as a botnet's: otherwise
// the ledger would block the second slammer because of the first. If a measurement needs more than
// there are, an address comes back, and its ledger must tolerate that.
func (l *bench) client() netip.Addr {
	a := l.next
	if l.next = a.Next(); !l.network.Contains(l.next.Next()) {
		l.rewind()
	}
	return a
}

// rewind lets client begin with the first address again.
func (l *bench) rewind() { l.next = l.server.addr.Addr().Next() }

// program returns the path of a program made by build.
func (l *bench) program(name string) string { return filepath.Join(l.dir, name) }

// goFloor and cFloor are the smallest programs that poll fd 0 and exit.
func (l *bench) goFloor() peer { return peer{name: goFloor, argv: []string{l.program("floor-go")}} }
func (l *bench) cFloor() peer  { return peer{name: cFloor, argv: []string{l.program("floor-c")}} }

// heading says what is measured, on which machine and how.
func heading(o options) string {
	var u unix.Utsname
	unix.Uname(&u)
	rounds := o.rounds
	if o.quick {
		rounds = min(rounds, 2)
	}
	parts := []string{
		time.Now().Format(time.DateOnly),
		commit(o),
		fmt.Sprintf("Linux %s %s", unix.ByteSliceToString(u.Release[:]), runtime.GOARCH),
		fmt.Sprintf("%d CPUs%s", runtime.NumCPU(), cpuModel()),
		runtime.Version(),
		fmt.Sprintf("medians of %d rounds", rounds),
	}
	if o.before != "" {
		parts = append(parts, "before: "+o.before)
	}
	return strings.Join(parts, "; ")
}

// commit says which sendwrap is measured.
func commit(o options) string {
	if o.sendwrap != "" {
		return o.sendwrap
	}
	id, err := osexec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "no commit"
	}
	changed, err := osexec.Command("git", "status", "--porcelain").Output()
	if err != nil || len(changed) > 0 {
		return "commit " + strings.TrimSpace(string(id)) + " with changes"
	}
	return "commit " + strings.TrimSpace(string(id))
}

// cpuModel returns the processor's name in parentheses, or "" where the kernel does not tell.
func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return " (" + strings.Trim(name, " \t:\n") + ")"
		}
	}
	return ""
}
