package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"sendwrap/wrapper/surroundings"
)

// patience is how long a daemon may take until it listens, after the command that starts it.
// sendmail tries a port that is still taken every 5 s, and a busy machine is slow.
const patience = 3 * time.Minute

// await waits until clients are greeted: by the starter if all is done, without it if all is taken
// back.
func (g *Goal) await(ctx context.Context, done bool) error {
	deadline := time.Now().Add(g.Listens)
	for {
		err := g.look(ctx, done)
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case err == nil || time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// look says what is not as it must be.
func (g *Goal) look(ctx context.Context, done bool) error {
	for _, l := range surroundings.Listeners(smtp) {
		has := slices.ContainsFunc(l.Processes, func(p surroundings.Process) bool {
			return p.Name == g.Starter
		})
		if has != done && len(l.Processes) > 0 {
			return fmt.Errorf("%q (process %d) has %v", l.Processes[0].Name, l.Processes[0].PID,
				l.Address)
		}
	}
	for _, at := range g.Greeted {
		if err := greeting(ctx, at, g.Delay+patience); err != nil {
			return fmt.Errorf("no greeting at %v: %w", at, err)
		}
	}
	dialer := net.Dialer{Timeout: patience}
	for _, at := range g.Open {
		conn, err := dialer.DialContext(ctx, "tcp", at.String())
		if err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}

// greeting waits for the greeting of an MTA until ctx ends.
func greeting(ctx context.Context, at netip.AddrPort, wait time.Duration) error {
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	code := make([]byte, 3)
	if _, err := io.ReadFull(conn, code); err != nil {
		return err
	}
	if string(code) != "220" {
		return fmt.Errorf("the server says %s", code)
	}
	// A client that goes on is logged as one that did nothing, and that is true.
	_, _ = conn.Write([]byte("QUIT\r\n"))
	_, _ = io.Copy(io.Discard, conn)
	return nil
}
