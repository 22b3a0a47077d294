package share

import (
	"context"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/machine"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/reload"
	"sendwrap/wrapper/share/wire"
)

const (
	outboxEvery = 50 * time.Millisecond // the ledger is looked at
	sendAtOnce  = 200                   // events
	syncEvery   = time.Hour             // the whole state is read
	tidyEvery   = time.Minute
	retryEvery  = 100 * time.Millisecond // work on the ledger that could not be done
	courierRest = time.Second            // before another courier is started
	mostSilence = 3 * time.Minute        // of a courier: it says what time it is every 10 s
	oldClock    = time.Second            // by which the engine's clock may seem to differ
	maxChanges  = 5                      // a minute that the engine goes or is back, in the log
)

// Options say how to share.
type Options struct {
	File    string // configuration
	Courier string // program of the courier
	Version string // of this program
	LogTo   func(policy.LogTarget) maillog.Log
}

// member is this machine's process. Its methods are called by one goroutine.
type member struct {
	Options
	cfg     *config.Config
	log     maillog.Log
	limiter maillog.Limiter
	ledger  ledger.Handle
	own     machine.Addresses
	enforce *enforce.Queue
	words   Words
	limit   limit
	ends    chan func() // on_block is to run at the end of a block
	hup     chan os.Signal
	again   context.CancelFunc // begins with the ledger and the engine again
	name    string

	courier   *process
	saidAt    time.Time // the courier has last said anything
	startAt   time.Time // another courier is started then
	connected bool
	version   string        // of the engine
	answers   bool          // the engine has all that is here, and its state was read
	why       string        // the last reason why it does not that was logged
	whyAt     time.Time     // when a try failed for it
	clock     time.Duration // the engine's time less the ledger's
	sending   uint64        // number of the last event of a packet under way; 0 = none
	lost      uint64        // with that packet
	unstated  []Event       // words of this machine that the engine has lost
	repeated  int           // how many of these are in the packet under way
	asked     bool          // the whole state is being read, or is about to be
	reading   bool          // the courier reads the stream
	syncAt    time.Time
	tidyAt    time.Time
	doubleAt  time.Time // another machine of our name was last logged
}

// Run shares until SIGTERM or SIGINT. At SIGHUP it reads its configuration again. An error means
// that it could not start.
func Run(o Options) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	m := &member{Options: o, ends: make(chan func(), 1000), hup: make(chan os.Signal, 1)}
	signal.Notify(m.hup, syscall.SIGHUP)
	cfg, mistakes := reload.Load(o.File)
	if cfg == nil {
		return mistakes
	}
	if len(cfg.Share.Engines) == 0 && mistakes != nil {
		return mistakes // share_engine may have one
	} else if len(cfg.Share.Engines) == 0 {
		return off(cfg)
	}
	go func() {
		for run := range m.ends {
			run()
		}
	}()
	m.configure(cfg)
	reload.LogMistakes(m.log, mistakes, config.LineSkipped)
	defer m.enforce.Close()
	if err := m.openLedger(); err != nil {
		return err
	}
	for m.share(stop); stop.Err() == nil; m.share(stop) {
		_ = m.openLedger() // logged
	}
	_ = m.ledger.Close()
	m.note("share: ended")
	return nil
}

// share shares with this ledger, until the context ends or another ledger or configuration is due.
func (m *member) share(stop context.Context) {
	stop, m.again = context.WithCancel(stop)
	defer m.again()
	defer m.stopCourier()
	defer m.lose("")
	m.words, m.startAt = Words{}, time.Time{}
	tick := time.NewTicker(outboxEvery)
	defer tick.Stop()
	for {
		var packets <-chan packet
		if m.courier != nil {
			packets = m.courier.packets
		}
		select {
		case <-stop.Done():
			return
		case <-m.hup:
			cfg, err := reload.Load(m.File)
			reload.Log(m.log, m.File, err)
			if cfg != nil && err == nil {
				m.configure(cfg)
				m.again()
			}
		case p, ok := <-packets:
			if !ok {
				m.loseCourier()
				continue
			}
			m.take(stop, p)
		case <-tick.C:
			m.everyTick(stop)
		}
	}
}

// configure sets what follows from the configuration.
func (m *member) configure(cfg *config.Config) {
	m.cfg, m.log = cfg, m.LogTo(cfg.Log)
	m.limit.Rate = cfg.Share.Limit
	m.name = Name(cfg)
	m.ledger.Options = ledger.Options{Path: cfg.Ledger.Path, Clients: cfg.Ledger.Clients,
		Warn: m.warn, Note: m.note, Without: "nothing is shared"}
	if m.enforce == nil {
		m.enforce = enforce.NewQueue(cfg, m.log)
	}
	m.enforce.Configure(cfg, m.log)
	if len(cfg.Share.Engines) == 0 {
		m.warn("share_engine is off: nothing is shared until the next SIGHUP")
	}
}

func (m *member) openLedger() error {
	if err := m.ledger.Open(); err != nil {
		return err
	}
	return m.ledger.Run(func(t *ledger.Tx) { t.Share(m.name, rand.Uint64()) })
}

// everyTick does what is due.
func (m *member) everyTick(stop context.Context) {
	now := time.Now()
	if now.After(m.tidyAt) {
		m.tidyAt = now.Add(tidyEvery)
		m.tidy()
	}
	if m.ledger.Ledger == nil || len(m.cfg.Share.Engines) == 0 {
		return
	}
	if m.courier == nil && now.After(m.startAt) {
		m.startCourier()
	}
	m.endSilence(now)
	if m.connected && m.sending == 0 {
		m.send(stop)
	}
}

// tidy does what is due now and then.
func (m *member) tidy() {
	if m.ledger.Outdated() {
		m.again()
		return
	}
	_ = m.ledger.Run(func(t *ledger.Tx) { t.Share(m.name, 0) })
	m.words.Trim(m.engineTime())
	lines, _ := m.limiter.Report(time.Duration(time.Now().UnixNano()))
	for _, line := range lines {
		m.note("share: " + line)
	}
}

// run works on the ledger until that has been done. It reports false if the context ends first:
// from then on nothing is done with this ledger.
func (m *member) run(stop context.Context, work func(*ledger.Tx)) bool {
	for stop.Err() == nil {
		if m.ledger.Run(work) == nil {
			return true
		}
		if m.ledger.Outdated() || len(m.hup) > 0 {
			m.again()
		}
		select {
		case <-stop.Done():
		case <-time.After(retryEvery):
		}
	}
	return false
}

// take does what a packet of the courier asks for.
func (m *member) take(stop context.Context, p packet) {
	defer func() { m.saidAt = time.Now() }() // not sooner: what follows it waits meanwhile
	switch {
	case p.verb == wire.Up && len(p.lines) == 2:
		m.setClock(stop, p.lines[1])
		m.recall()
		m.connected, m.sending, m.asked, m.reading = true, 0, false, false
		m.version, m.syncAt = p.lines[0], time.Time{}
	case p.verb == wire.Down && len(p.lines) == 1:
		m.lose(p.lines[0])
	case p.verb == wire.Time && len(p.lines) == 1:
		m.setClock(stop, p.lines[0])
		m.run(stop, func(t *ledger.Tx) { t.NoteConnected(m.answers) })
	case p.verb == wire.Sent && len(p.lines) == 1 && p.lines[0] == number(m.sending):
		sent, lost := m.sending, m.lost
		m.run(stop, func(t *ledger.Tx) { t.NoteSent(sent, lost) })
		m.unstated, m.sending, m.repeated = m.unstated[m.repeated:], 0, 0
		m.send(stop)
	case p.verb == wire.State:
		m.hearAll(stop, p.lines, true)
	case p.verb == wire.Complete:
		m.recallEnds()
		m.asked, m.unstated, m.repeated = false, m.words.Unstated(m.name), 0
		m.find(stop)
		m.startReading()
	case p.verb == wire.Events && len(p.lines) >= 2:
		m.hearAll(stop, p.lines[2:], false)
		m.notePosition(stop, p.lines[0], p.lines[1])
	case p.verb == wire.Gap:
		m.syncAt = time.Time{}
		if m.mayLog(1, "gaps") {
			m.note("share: a part of the stream is gone; all of the state is read again")
		}
	case p.verb == wire.Empty:
		m.syncAt = time.Time{}
	case p.verb == wire.Double:
		m.warnOfDouble()
	}
}

func (m *member) warnOfDouble() {
	if now := time.Now(); now.Sub(m.doubleAt) > time.Hour {
		m.doubleAt = now
		m.warn("share: another machine is called " + m.name + ", too; " +
			"give each a share_name of its own")
	}
}

// mayLog reports whether the log may have another line of that kind, of so many a minute.
func (m *member) mayLog(most int, kind string) bool {
	return m.limiter.Allow(time.Duration(time.Now().UnixNano()), most, kind)
}

// warnOnce logs a line of that kind, once a minute.
func (m *member) warnOnce(kind, text string) {
	if m.mayLog(1, kind) {
		m.warn(text)
	}
}

func (m *member) warn(text string) { _ = m.log.Write(maillog.Warning, text) }
func (m *member) note(text string) { _ = m.log.Write(maillog.Info, text) }

func number(n uint64) string { return strconv.FormatUint(n, 10) }
