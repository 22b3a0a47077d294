package ledger

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The limits in the torture test, small enough to be reached nearly all the time.
const (
	tortureNetworks = 3
	tortureConns    = 4
	tortureServing  = 8
	tortureWaiting  = 6
	tortureBlocks   = 20

	servingTokens = tortureNetworks // after those of the networks
	waitingTokens = tortureNetworks + 1
)

// tortureLine is what a worker says of itself, in memory that it shares with the parent.
type tortureLine struct {
	started atomic.Uint64 // works that count verdict 1
	done    atomic.Uint64 // of these, those that ended
	busy    atomic.Uint64 // works that found the ledger held
	broken  atomic.Uint64 // limits seen exceeded
	holds   atomic.Uint64 // the session that it has, below
	_       [11]uint64
}

// What a worker holds: network + 1, or 0 for nothing; what kind; and whether it has come to rest
// and keeps that.
const (
	holdsNetwork = 0xff
	holdsServing = 1 << 8
	holdsParked  = 1 << 9
)

// The first line is the parent's. This of its words tells the workers to come to rest.
func (line *tortureLine) finish() *atomic.Uint64 { return &line.started }

func tortureLines(path string, n int) ([]*tortureLine, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 64*page); err != nil {
		return nil, err
	}
	m, err := mapFile(fd, 64*page)
	if err != nil {
		return nil, err
	}
	var lines []*tortureLine
	for i := range n {
		lines = append(lines, view[tortureLine](m, i*128))
	}
	return lines, nil
}

// worker is one of the processes under torture.
type worker struct {
	l       *Ledger
	line    *tortureLine
	tokens  semaphores
	network int
	session Session
	holds   bool
	serving bool
}

// tortureRole: LEDGER, LINES, number of its line, SEMAPHORES.
func tortureRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(args[2])
	tokens, _ := strconv.Atoi(args[3])
	lines, err := tortureLines(args[1], n+1)
	if err != nil {
		return err
	}
	w := &worker{l: l, line: lines[n], tokens: semaphores(tokens)}
	for parent := unix.Getppid(); unix.Getppid() == parent; {
		if lines[0].finish().Load() == 1 {
			w.line.holds.Or(holdsParked)
			waitForLine()
		}
		switch dice := rand.IntN(10_000); {
		case dice < 100:
			w.breakIn(unix.SIGKILL)
		case dice < 105:
			w.breakIn(unix.SIGSTOP)
		case dice < 600:
			w.keep()
		case dice < 800:
			w.punish()
		case dice < 1000:
			w.lookUp()
		case !w.holds:
			w.enter()
		case !w.serving && dice < 6000:
			w.serve()
		case w.serving && dice < 1000:
			return w.exec()
		default:
			w.leave()
		}
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	}
	return nil
}

func (w *worker) arrival() Arrival {
	return Arrival{
		Client:  netip.AddrPortFrom(hostN(w.network<<8+rand.IntN(256)), 25),
		Network: tortureNetwork(w.network),
		Limits: Limits{Serving: tortureServing, Waiting: tortureWaiting, Conns: tortureConns,
			Rate: 1 << 30, Per: time.Minute},
	}
}

func tortureNetwork(n int) netip.Prefix { return netip.PrefixFrom(hostN(n<<8), 24) }

// do works, and reports whether it got the lock.
func (w *worker) do(work func(*Tx)) bool {
	switch err := w.l.Do(Now(), work); {
	case err == nil:
		return true
	case held(err):
		w.line.busy.Add(1)
	default:
		w.line.broken.Add(1000)
		os.Stderr.WriteString("torture: " + err.Error() + "\n")
	}
	return false
}

// take takes a token for what the ledger has admitted.
func (w *worker) take(n int) {
	if !w.tokens.take(n) {
		w.line.broken.Add(1)
	}
}

func (w *worker) enter() {
	w.network = rand.IntN(tortureNetworks)
	a, self, in := w.arrival(), Self(), false
	w.line.started.Add(1)
	ok := w.do(func(t *Tx) {
		s := t.Look(a)
		t.Count(1)
		if s.Conns < tortureConns && s.Waiting < tortureWaiting && s.Serving < tortureServing {
			w.session, in = t.Enter(a, self)
		}
	})
	if ok {
		w.line.done.Add(1)
	} else {
		w.line.started.Add(^uint64(0))
	}
	if ok && in {
		w.holds, w.serving = true, false
		w.line.holds.Store(uint64(w.network) + 1)
		w.take(w.network)
		w.take(waitingTokens)
	}
}

func (w *worker) serve() {
	w.tokens.give(waitingTokens)
	w.serving = true
	served := false
	ok := w.do(func(t *Tx) {
		if s := t.Look(w.arrival()); s.Serving < tortureServing {
			t.Serve(w.session)
			served = true
		}
	})
	if ok && served {
		w.line.holds.Or(holdsServing)
		w.take(servingTokens)
		return
	}
	w.tokens.give(w.network)
	w.end()
}

func (w *worker) leave() {
	w.tokens.give(w.network)
	if w.serving {
		w.tokens.give(servingTokens)
	} else {
		w.tokens.give(waitingTokens)
	}
	w.end()
}

// end leaves the ledger after it has given the tokens back. It must, so it tries until it gets the
// lock.
func (w *worker) end() {
	for !w.do(func(t *Tx) { t.Leave(w.session) }) {
	}
	w.holds = false
	w.line.holds.Store(0)
}

// keep finds nothing to free: the ledger counts what this process holds, and no more.
func (w *worker) keep() {
	freed := 0
	if w.do(func(t *Tx) {
		freed = t.FreeExcept(Self(), func(s Session) bool { return w.holds && s == w.session })
	}) && freed > 0 {
		w.line.broken.Add(uint64(freed))
	}
}

// punish begins a block, of which watchers learn, and trims the blocks.
func (w *worker) punish() {
	n := networkN(1000 + rand.IntN(200))
	_, since, _ := w.l.BlocksSince(0)
	if !w.do(func(t *Tx) {
		t.BadRcpt(n, time.Hour)
		t.Block(n, 0, "test", threeStrikes)
	}) {
		return
	}
	if networks, now, all := w.l.BlocksSince(since); since != 0 && now != since && !all &&
		!slices.Contains(networks, n) {
		w.line.broken.Add(1)
	}
	switch _, err := w.l.Trim(Now(), tortureBlocks); {
	case err == nil:
	case held(err):
		w.line.busy.Add(1)
	default:
		w.line.broken.Add(1000)
	}
}

// exec becomes another program, which ends soon, or not at all.
func (w *worker) exec() error {
	seconds := "0." + strconv.Itoa(rand.IntN(30))
	if rand.IntN(5) == 0 {
		seconds = "600"
		w.line.holds.Or(holdsParked)
	}
	return syscall.Exec("/bin/sleep", []string{"sleep", seconds}, nil)
}

// breakIn kills or stops this process during an operation that changes much. What it does must not
// be seen, or only when it is done.
func (w *worker) breakIn(sig unix.Signal) {
	a, self, at := w.arrival(), Self(), rand.IntN(4)
	parent, _ := Identify(unix.Getppid()) // it lives on, and so would a session left to it
	_ = w.l.Do(Now(), func(t *Tx) {
		t.Look(a)
		for step := range 4 {
			if step == at {
				raise(sig)
			}
			switch step {
			case 0:
				t.Spoke(time.Second)
			case 1:
				s, _ := t.Enter(a, self)
				s, _ = t.Transfer(s, parent)
				t.Leave(s)
			case 2:
				t.Strike(a.Network, "test", 1, Penalty{})
				t.KeepLookup(hostN(rand.IntN(50)), of, plain(byte(at)), time.Minute)
				t.CountList("0.example", ListFailed, 10)
				t.BadRcpt(a.Network, time.Hour)
				t.Block(networkN(1000+rand.IntN(200)), 0, "test", threeStrikes)
				t.Left(time.Second)
			}
		}
	})
}
