package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// stage is where a show takes place: a directory with a configuration and a ledger, and what starts
// sendwrap. close removes all of it.
type stage struct {
	options   Options
	dir       string
	file      string         // the configuration, as written
	config    *config.Config // the same
	changes   []string       // what differs from the configuration that was given
	standIn   bool           // the MTA is the stand-in
	mtaStderr *os.File       // fd 2 of the MTA; nil if it is the stand-in, or if that is a log
	shown     int64          // how much of it newMTAStderr has returned
	ledger    *ledger.Ledger
	server    server

	nameserver *nameserver

	guard   *guard
	guarded server // like server, with an MTA that asks the guard
	asker   string // what that MTA is

	slowdown time.Duration // a factor: how much slower than usual everything may be
	patience time.Duration // with a client that takes longer than it should
	exitTime time.Duration // for a process to end once its client has left
}

// server is what clients connect to.
type server interface {
	address() netip.AddrPort

	// awaitExits waits until nothing is left of that many clients, which have all gone, and returns
	// what was wrong. It kills what does not end in time.
	awaitExits(ctx context.Context, clients int, within time.Duration) (problems []string)

	close() // ends all processes
}

// open makes a stage. sendwrap's log goes to log. With nil there is none, and fd 2 of its processes
// is what fd 0 is, as under inetd.
func open(o Options, address string, log *os.File) (_ *stage, err error) {
	s := &stage{options: o, slowdown: 1}
	if o.Slow {
		s.slowdown = slowFactor
	}
	s.patience, s.exitTime = s.slowdown*slack, s.slowdown*5*time.Second
	if s.dir, err = makeDir(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.file = filepath.Join(s.dir, "sendwrap.conf")
	given := o.Config
	if given == nil {
		given = builtIn()
	}
	s.config, s.changes = adapt(given, s.dir, o.Room)
	if log != nil {
		s.config.Log = policy.Stderr
	}
	if s.standIn = s.config.MTA == nil; s.standIn {
		s.config.MTA = s.standInCommand()
	} else {
		s.exitTime = max(s.exitTime, time.Minute)
		if log == nil {
			if s.mtaStderr, err = os.Create(filepath.Join(s.dir, "mta.stderr")); err != nil {
				return nil, err
			}
			log, s.config.MTAStderr = s.mtaStderr, policy.AsIs
		}
	}
	if s.nameserver, err = openNameserver(); err != nil {
		return nil, err
	}
	s.useLists()
	if err := writeConf(s.file, s.config, s.lines()); err != nil {
		return nil, err
	}
	l := ledger.Handle{Options: ledger.Options{
		Path: s.config.Ledger.Path, Clients: s.config.Ledger.Clients,
	}}
	if err = l.Open(); err != nil {
		return nil, err
	}
	s.ledger = l.Ledger
	if s.server, err = s.serve(address, s.file, log, s.standIn); err != nil {
		return nil, err
	}
	return s, nil
}

// lines are the lines of the configuration about networks.
func (s *stage) lines() []string {
	return append(networks(s.config, s.options.Room), s.listLines()...)
}

// makeDir makes the directory of the show. Its name must be short enough for the guard's socket
// (107 bytes, unix(7)).
func makeDir() (string, error) {
	tmp, err := filepath.Abs(os.TempDir()) // the processes have another working directory
	if err != nil {
		return "", err
	}
	if len(tmp)+len("/sendwrap-try-1234567890/"+guardSocket) > 107 {
		tmp = "/tmp"
	}
	return os.MkdirTemp(tmp, "sendwrap-try-")
}

// standInCommand starts the stand-in, which asks the guard of the show.
func (s *stage) standInCommand() []string {
	return []string{s.options.Program, "try", "-f", s.file, "-mta"}
}

// serve opens what clients connect to, with the configuration in file. strict: each process must
// end with status 0. The stand-in's must; what a real MTA's status means is not known.
func (s *stage) serve(address, file string, log *os.File, strict bool) (server, error) {
	program := []string{s.options.Program, "sendwrap", "-f", file}
	if s.options.Room {
		r, err := openRoom(address, program, log, s.ledger)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	inetd, err := listen(address, program, log)
	if err != nil {
		return nil, err
	}
	inetd.strict = strict
	return inetd, nil
}

// close ends all processes and removes all files.
func (s *stage) close() error {
	if s.guarded != nil && s.guarded != s.server {
		s.guarded.close()
	}
	if s.server != nil {
		s.server.close()
	}
	if s.guard != nil {
		s.guard.close()
	}
	if s.nameserver != nil {
		s.nameserver.close()
	}
	if s.mtaStderr != nil {
		_ = s.mtaStderr.Close()
	}
	var err error
	if s.ledger != nil {
		err = s.ledger.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// newMTAStderr is the first line that the MTA has written to fd 2 since the last call.
func (s *stage) newMTAStderr() string {
	if s.mtaStderr == nil {
		return ""
	}
	end, err := s.mtaStderr.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(longestAnswer, end-s.shown))
	n, _ := s.mtaStderr.ReadAt(text, s.shown)
	s.shown = end
	first, _, _ := strings.Cut(string(text[:n]), "\n")
	return shorten(first, longestAnswer)
}

func totals(l *ledger.Ledger) (t ledger.Totals, err error) {
	err = l.Do(ledger.Now(), func(tx *ledger.Tx) { t = tx.Totals() })
	return t, err
}

// describe says what is tried: the configuration and what differs from the one that was given, the
// MTA, and where.
func (s *stage) describe() string {
	from, mta := "built in", strings.Join(s.config.MTA, " ")
	if s.standIn {
		mta = "a stand-in; it discards all mail"
	}
	if s.options.Config != nil {
		changes := append([]string{"ledger, log, mode, networks, lists, guard_listen"},
			s.changes...)
		from = s.options.File + "; changed for the show: " + strings.Join(changes, ", ")
	}
	where := fmt.Sprintf("super-server   %v, starts sendwrap for each client", s.server.address())
	if r, ok := s.server.(*room); ok {
		where = fmt.Sprintf("room           %v, one sendwrap for all clients: process %d",
			r.address(), r.process.Pid)
	}
	text := fmt.Sprintf("configuration  %s\ngreet_delay    %v\nMTA            %s\n%s",
		from, s.config.GreetDelay, mta, where)
	if s.guard != nil {
		text += fmt.Sprintf("\nguard          process %d, asked by %s",
			s.guard.process.Pid, s.asker)
	}
	return text
}

// untilSignal is a context that ends at SIGINT, SIGTERM or SIGHUP. SIGPIPE must not kill us either,
// since the stage must be removed: it is caught, and the write to the closed pipe fails.
func untilSignal() (context.Context, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup(1)
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	return ctx, func() {
		stop()
		signal.Stop(pipe)
	}
}
