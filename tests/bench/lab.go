package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// measurement is what -only names: one experiment, which gives one or more rows.
type measurement struct {
	name string
	run  func(*lab) ([]row, error)
}

// measurements returns all of them, in the order of the table.
func measurements() []measurement {
	return []measurement{
		{"refused", measureRefused},
		{"denied", measureDenied},
		{"blocked", measureBlocked},
		{"start", measureStart},
		{"memory", measureMemory},
		{"networks", measureNetworks},
		{"session", measureSession},
		{"ledger", measureLedger},
		{"room-refused", measureRoomRefused},
		{"room-rate", measureRoomRate},
		{"room-memory", measureRoomMemory},
		{"room-known", measureRoomKnown},
		{"room-spawn", measureRoomSpawn},
		{"dictionary", measureDictionary},
		{"guard-message", measureGuardMessage},
		{"guard-memory", measureGuardMemory},
	}
}

func names() []string {
	var all []string
	for _, m := range measurements() {
		all = append(all, m.name)
	}
	return all
}

// choose returns the measurements that only names; "" names all.
func choose(only string) ([]measurement, error) {
	all := measurements()
	if only == "" {
		return all, nil
	}
	var chosen []measurement
	for _, name := range strings.Split(only, ",") {
		i := slices.Index(names(), name)
		if i < 0 {
			return nil, fmt.Errorf("-only %q: no such measurement; write any of %s", name, strings.Join(names(), ","))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// lab is what every measurement works with.
type lab struct {
	dir      string       // private; holds the programs of build and all configurations
	isolated bool         // in namespaces of our own: /dev/log is read, names need no DNS
	log      *logReader   // nil if not isolated
	server   *superServer // starts the programs
	group    *memoryGroup // what all daemons are members of; nil: of none
	rounds   int          // how many values a median is made of
	slices   int          // how often all programs take turns in a round
	conns    int          // connections a program gets in one turn
	quick    bool
	network  netip.Prefix // of all clients and the super-server
	next     *netip.Addr  // the next client's address
}

// fewer is the lab with that many times fewer connections, for what takes longer.
func (l *lab) fewer(times int) *lab {
	few := *l
	few.slices = max(l.slices/times, 1)
	return &few
}

func newLab(o options, dir string, isolated bool) (*lab, error) {
	l := &lab{dir: dir, isolated: isolated, rounds: o.rounds, slices: 20, conns: 10, quick: o.quick}
	if o.quick {
		l.rounds, l.slices = min(o.rounds, 2), 4
	}
	// Every connection comes from an address of its own, as a botnet's do: else
	// the ledger would block the second slammer for what the first did.
	l.network = loopbackClients
	if isolated {
		l.network = benchmarkClients
		var err error
		if l.log, err = readLog("/dev/log"); err != nil {
			return nil, err
		}
	}
	var err error
	if l.server, err = listen(l.network.Addr().Next()); err != nil {
		return nil, err
	}
	l.next = new(netip.Addr)
	l.rewind()
	return l, l.checkRusage()
}

// loopbackClients are client addresses that every Linux machine has.
var loopbackClients = netip.MustParsePrefix("127.64.0.0/10")

// benchmarkClients are set aside for benchmarks (RFC 2544 appendix C.2.2). In
// our own network namespace they are preferred to 127/8, which the Perl sendwrap
// and many a configuration let pass.
var benchmarkClients = netip.MustParsePrefix("198.18.0.0/15")

// client returns an address that no client of the measurement had before. In
// networks of ours there are 131,000: the next one begins again with the first,
// as it has a ledger of its own, and so does one that needs more, whose ledger
// must bear that.
func (l *lab) client() netip.Addr {
	a := *l.next
	if *l.next = a.Next(); !l.network.Contains(l.next.Next()) {
		l.rewind()
	}
	return a
}

// rewind lets client begin with the first address again.
func (l *lab) rewind() { *l.next = l.server.addr.Addr().Next() }

// program returns the path of a program made by build.
func (l *lab) program(name string) string { return filepath.Join(l.dir, name) }

// goFloor and cFloor are the smallest programs that poll fd 0 and exit.
func (l *lab) goFloor() peer { return peer{name: goFloor, argv: []string{l.program("floor-go")}} }
func (l *lab) cFloor() peer  { return peer{name: cFloor, argv: []string{l.program("floor-c")}} }

// heading says on which machine and how the table was measured.
func (l *lab) heading() string {
	var u unix.Utsname
	unix.Uname(&u)
	where := "not root: sendwrap's log lines go nowhere"
	if l.isolated {
		where = "own namespaces, /dev/log is read"
	}
	return fmt.Sprintf("%s; Linux %s %s, %d CPUs%s; %s; medians of %d rounds; %s",
		time.Now().Format(time.DateOnly), unix.ByteSliceToString(u.Release[:]), runtime.GOARCH,
		runtime.NumCPU(), cpuModel(), runtime.Version(), l.rounds, where)
}

// cpuModel returns the processor's name in parentheses, or "" where the kernel does not tell.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return " (" + strings.Trim(name, " \t:\n") + ")"
		}
	}
	return ""
}
