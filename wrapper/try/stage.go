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
)

// stage is where it all takes place: a directory of our own with configuration and ledger, and who starts sendwrap. All of it is
// gone after close.
type stage struct {
	dir     string
	file    string         // the configuration, as written
	config  *config.Config // the same
	changes []string       // what is not as it was given
	standIn bool           // the MTA is ours
	said    *os.File       // what the MTA says on fd 2; nil if it is ours, or that is a log
	heard   int64          // how much of it has been told
	ledger  *ledger.Ledger
	server  server

	guard   *guard
	guarded server // as server, with an MTA that asks the guard
	asker   string // what that MTA is

	pace     time.Duration // a factor: how much slower than usual all may go
	patience time.Duration // with a client that takes longer than it should
	ending   time.Duration // for which a process may go on once its client has left
}

// server is what clients come to.
type server interface {
	address() netip.AddrPort

	// settle waits until nothing is left of so many clients, which have all gone, and says what was wrong. What
	// does not end is killed.
	settle(ctx context.Context, clients int, within time.Duration) (wrong []string)

	// departed tells of processes that end, unasked, while nobody settles.
	departed() <-chan departure

	close() // ends all processes
}

// open sets the stage. Log lines of sendwrap go to log; nil = there are none, and fd 2 of its processes is what fd 0 is, as
// under inetd.
func open(o Options, address string, log *os.File) (_ *stage, err error) {
	s := &stage{pace: 1}
	if o.Slow {
		s.pace = slowPace
	}
	s.patience, s.ending = s.pace*slack, s.pace*5*time.Second
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
	s.config, s.changes = adapted(given, s.dir, o.Room)
	if log != nil {
		s.config.Log = config.Stderr
	}
	if s.standIn = s.config.MTA == nil; s.standIn {
		s.config.MTA = s.standInFor(o)
	} else {
		s.ending = max(s.ending, time.Minute)
		if log == nil {
			if s.said, err = os.Create(filepath.Join(s.dir, "mta.said")); err != nil {
				return nil, err
			}
			log, s.config.MTAStderr = s.said, config.AsIs
		}
	}
	if err := writeConf(s.file, s.config, networks(s.config, o.Room)); err != nil {
		return nil, err
	}
	l := ledger.Handle{Options: ledger.Options{Path: s.config.Ledger.Path, Clients: s.config.Ledger.Clients}}
	if err = l.Open(); err != nil {
		return nil, err
	}
	s.ledger = l.Ledger
	if s.server, err = s.serve(o, address, s.file, log, s.standIn); err != nil {
		return nil, err
	}
	return s, nil
}

// makeDir makes the directory of the show. A socket is to be in it, for which there must be room (107 bytes, unix(7)).
func makeDir() (string, error) {
	tmp, err := filepath.Abs(os.TempDir()) // the processes' working directory is not ours
	if err != nil {
		return "", err
	}
	if len(tmp)+len("/sendwrap-try-1234567890/"+guardSocket) > 107 {
		tmp = "/tmp"
	}
	return os.MkdirTemp(tmp, "sendwrap-try-")
}

// standInFor is the command that is the stand-in. It asks the guard of the show.
func (s *stage) standInFor(o Options) []string {
	return []string{o.Program, "try", "-f", s.file, "-mta"}
}

// serve opens what clients come to, with the configuration in file. What the status of a real MTA means is its own affair; ours
// must be 0.
func (s *stage) serve(o Options, address, file string, log *os.File, ours bool) (server, error) {
	program := []string{o.Program, "sendwrap", "-f", file}
	if o.Room {
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
	inetd.strict = ours
	return inetd, nil
}

// close ends all processes and leaves nothing behind.
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
	if s.said != nil {
		_ = s.said.Close()
	}
	var err error
	if s.ledger != nil {
		err = s.ledger.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// mtaSaid is the first line that the MTA has said on fd 2 since it was asked last.
func (s *stage) mtaSaid() string {
	if s.said == nil {
		return ""
	}
	end, err := s.said.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text := make([]byte, min(longest, end-s.heard))
	n, _ := s.said.ReadAt(text, s.heard)
	s.heard = end
	first, _, _ := strings.Cut(string(text[:n]), "\n")
	return cut(first, longest)
}

func totals(l *ledger.Ledger) (t ledger.Totals, err error) {
	err = l.Do(ledger.Now(), func(tx *ledger.Tx) { t = tx.Totals() })
	return t, err
}

// describe says what is tried: the configuration and what is not as it was given, the MTA, and where.
func (s *stage) describe(o Options) string {
	from, mta := "built in", strings.Join(s.config.MTA, " ")
	if s.standIn {
		mta = "a stand-in; mail goes nowhere"
	}
	if o.Config != nil {
		own := append([]string{"ledger, log, mode, networks, guard_listen"}, s.changes...)
		from = o.File + "; the show's own are " + strings.Join(own, ", ")
	}
	where := fmt.Sprintf("super-server   %v, starts sendwrap for each client", s.server.address())
	if r, is := s.server.(*room); is {
		where = fmt.Sprintf("room           %v, one sendwrap for all clients: process %d", r.address(), r.process.Pid)
	}
	text := fmt.Sprintf("configuration  %s\ngreet_delay    %v\nMTA            %s\n%s", from, s.config.GreetDelay, mta, where)
	if s.guard != nil {
		text += fmt.Sprintf("\nguard          process %d, asked by %s", s.guard.process.Pid, s.asker)
	}
	return text
}

// untilTold is a context that ends when we are told to end, by terminal or kill(1). Writing to a pipe that nobody
// reads any more must not kill us either, since there is a stage to clear: so SIGPIPE is caught too, and the write fails.
func untilTold() (context.Context, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	told := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) means it
		told = append(told, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), told...)
	return ctx, func() {
		stop()
		signal.Stop(pipe)
	}
}
