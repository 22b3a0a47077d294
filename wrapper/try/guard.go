package try

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sendwrap/wrapper/policy"
)

// guard is a sendwrap that MTAs ask.
type guard struct {
	*daemon
	at     policy.Listen
	stderr *os.File // its fd 2; nil if that is a log of somebody else's
}

// openGuard starts a guard with the configuration in file. It does not wait for it: an MTA goes on
// without one.
func openGuard(program, file string, at policy.Listen, log *os.File) (*guard, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	g := &guard{at: at}
	if log == nil {
		name := filepath.Join(filepath.Dir(file), "guard.stderr")
		if g.stderr, err = os.Create(name); err != nil {
			return nil, err
		}
		log = g.stderr
	}
	argv := []string{program, "sendwrap", "guard", "-f", file}
	if g.daemon, err = startDaemon(argv, [3]*os.File{null, null, log}); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// waitReady waits until MTAs can reach the guard. The error says why they cannot.
func (g *guard) waitReady(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, g.at.Network, g.at.Address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-g.ended:
			return g.failure()
		case <-ctx.Done():
			return fmt.Errorf("the guard cannot be reached after %v: %w", within, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// failure is the error of a guard that has ended; nil while it runs.
func (g *guard) failure() error {
	select {
	case <-g.ended:
	default:
		return nil
	}
	err := g.exit.unexpected("guard")
	if g.stderr == nil {
		return err
	}
	if text, _ := os.ReadFile(g.stderr.Name()); len(text) > 0 {
		first, _, _ := strings.Cut(string(text), "\n")
		err = fmt.Errorf("%w: %s", err, first)
	}
	return err
}

// close ends the guard.
func (g *guard) close() {
	if g.daemon != nil {
		g.stop()
	}
	if g.stderr != nil {
		_ = g.stderr.Close()
	}
}

// startGuard starts the guard of the show.
func (s *stage) startGuard(log *os.File) (err error) {
	s.guard, err = openGuard(s.options.Program, s.file, s.config.GuardListen, log)
	return err
}

// openGuarded opens a second server, whose MTA asks the guard: sendmail where possible, else the
// stand-in. If the first server has the stand-in, it serves for both.
func (s *stage) openGuarded(ctx context.Context) error {
	mta, version, why := sendmail(ctx, s.dir, s.config.GuardListen, s.slowdown*sendmailTime)
	standIn := why != nil
	switch {
	case !standIn:
		s.asker = version + " with a configuration of its own"
	case errors.Is(why, errNoSendmail):
		s.asker = "a stand-in"
	default:
		s.asker = fmt.Sprintf("a stand-in (sendmail: %v)", why)
	}
	if standIn && s.standIn {
		s.guarded = s.server
		return nil
	}
	if standIn {
		mta = s.standInCommand()
	}
	conf := *s.config
	conf.MTA = mta
	file := filepath.Join(s.dir, "guarded.conf")
	err := writeConf(file, &conf, s.lines())
	if err == nil {
		s.guarded, err = s.serve("127.0.0.1:0", file, nil, standIn)
	}
	return err
}
