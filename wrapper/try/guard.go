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

	"sendwrap/wrapper/config"
)

// guard is a sendwrap that MTAs ask.
type guard struct {
	*daemon
	at   config.Listen
	said *os.File // what it said on fd 2; nil if that is a log of somebody else's
}

// openGuard starts one with the configuration in file. It is not waited for: an MTA carries on without.
func openGuard(program, file string, at config.Listen, log *os.File) (*guard, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	g := &guard{at: at}
	if log == nil {
		if g.said, err = os.Create(filepath.Join(filepath.Dir(file), "guard.said")); err != nil {
			return nil, err
		}
		log = g.said
	}
	if g.daemon, err = startDaemon([]string{program, "sendwrap", "guard", "-f", file}, [3]*os.File{null, null, log}); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// ready waits until MTAs reach it, and says why none will.
func (g *guard) ready(ctx context.Context, within time.Duration) error {
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
			return g.unasked()
		case <-ctx.Done():
			return fmt.Errorf("the guard cannot be reached after %v: %w", within, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// unasked says that it has ended; nil if it has not.
func (g *guard) unasked() error {
	select {
	case <-g.ended:
	default:
		return nil
	}
	err := g.how.unasked("guard")
	if g.said == nil {
		return err
	}
	if text, _ := os.ReadFile(g.said.Name()); len(text) > 0 {
		first, _, _ := strings.Cut(string(text), "\n")
		err = fmt.Errorf("%w: %s", err, first)
	}
	return err
}

// close ends it.
func (g *guard) close() {
	if g.daemon != nil {
		g.stop()
	}
	if g.said != nil {
		_ = g.said.Close()
	}
}

// watch starts the guard.
func (s *stage) watch(o Options, log *os.File) (err error) {
	s.guard, err = openGuard(o.Program, s.file, s.config.GuardListen, log)
	return err
}

// openGuarded opens a second door, behind which the MTA asks the guard: sendmail where it can be, or else the stand-in. If that is
// behind the first one, too, there is no need for a second.
func (s *stage) openGuarded(ctx context.Context, o Options) error {
	mta, which, why := sendmail(ctx, s.dir, s.config.GuardListen, s.pace*promptly)
	ours := why != nil
	switch {
	case !ours:
		s.asker = which + " with a site of its own"
	case errors.Is(why, errNoSendmail):
		s.asker = "a stand-in"
	default:
		s.asker = fmt.Sprintf("a stand-in (sendmail: %v)", why)
	}
	if ours && s.standIn {
		s.guarded = s.server
		return nil
	}
	if ours {
		mta = s.standInFor(o)
	}
	behind := *s.config
	behind.MTA = mta
	file := filepath.Join(s.dir, "guarded.conf")
	err := writeConf(file, &behind, networks(s.config, o.Room))
	if err == nil {
		s.guarded, err = s.serve(o, "127.0.0.1:0", file, nil, ours)
	}
	return err
}
