package try

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"sendwrap/wrapper/ledger"
)

// room is one sendwrap for all clients. It gets the listening socket as fds 0, 1 and 2, as inetd
// passes it for `wait`. Unlike inetd we close the socket: no client reaches a room that has ended.
type room struct {
	*daemon
	at     netip.AddrPort
	socket string // the listening one, as /proc/PID/fd shows it
	ledger *ledger.Ledger
}

// openRoom opens a room at an address. program is its path, then its argv.
func openRoom(address string, program []string, stderr *os.File, l *ledger.Ledger) (*room, error) {
	listener, err := listenTCP(address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	if stderr == nil {
		stderr = socket
	}
	r := &room{at: addressOn(listener), ledger: l}
	if r.socket, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd())); err != nil {
		return nil, err
	}
	if r.daemon, err = startDaemon(program, [3]*os.File{socket, socket, stderr}); err != nil {
		return nil, err
	}
	return r, nil
}

// environ is our environment without what a service manager means for us alone.
func environ() []string {
	var list []string
	for _, pair := range os.Environ() {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
			"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC":
		default:
			list = append(list, pair)
		}
	}
	return list
}

func (r *room) address() netip.AddrPort { return r.at }

// awaitExits waits until the room is as empty as before the clients came.
func (r *room) awaitExits(ctx context.Context, _ int, within time.Duration) (problems []string) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		problems = r.leftovers()
		select {
		case <-r.ended:
			return []string{r.exit.unexpected("room").Error()}
		case <-ctx.Done():
			r.killMTAs(r.mtas())
			return problems
		default:
		}
		if len(problems) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leftovers lists what the room still has of clients that have gone.
func (r *room) leftovers() (problems []string) {
	switch t, err := totals(r.ledger); {
	case err != nil:
		problems = append(problems, err.Error())
	case t.Waiting+t.Serving > 0:
		problems = append(problems, fmt.Sprintf("the ledger still counts %d waiting, %d serving",
			t.Waiting, t.Serving))
	}
	if n := len(childrenOf(r.process.Pid)); n > 0 {
		problems = append(problems, mtasLeft(n))
	}
	if n := r.openSockets(); n > 0 {
		problems = append(problems, fmt.Sprintf("connections that the room still holds: %d", n))
	}
	return problems
}

func mtasLeft(n int) string { return fmt.Sprintf("MTAs of the room that did not end: %d", n) }

// roomEnd is the last scene of a room: at SIGTERM it must end with status 0, and leave no MTA that
// has lost its client.
func (s *stage) roomEnd(r *room) scene {
	return scene{who: "the room", does: "ends at SIGTERM",
		special: func(ctx context.Context) (result, error) { return r.end(ctx, s.exitTime) }}
}

func (r *room) end(ctx context.Context, within time.Duration) (result, error) {
	start := time.Now()
	select {
	case <-r.ended:
		return result{
			sights:   []sight{{reply: r.exit.state.String()}},
			problems: []string{r.exit.unexpected("room").Error()},
		}, nil
	default:
	}
	_ = r.process.Signal(syscall.SIGTERM) // it has not been waited for
	var end result
	select {
	case <-r.ended:
		end.sights = []sight{{reply: r.exit.state.String(), took: time.Since(start)}}
		if r.exit.err != nil || !r.exit.state.Success() {
			end.problems = append(end.problems,
				fmt.Sprintf("the room ended with %v; want exit status 0", r.exit.state))
		}
	case <-time.After(within):
		end.sights = []sight{{reply: nothing, took: time.Since(start)}}
		end.problems = append(end.problems,
			fmt.Sprintf("the room did not end within %v of SIGTERM", within))
	case <-ctx.Done():
		return result{}, ErrInterrupted
	}
	if n := len(r.mtas()); n > 0 {
		end.problems = append(end.problems, mtasLeft(n))
	}
	return end, nil
}

// close ends the room and the MTAs that it has started.
func (r *room) close() {
	list := r.mtas()
	r.stop()
	r.killMTAs(append(list, r.mtas()...))
}
