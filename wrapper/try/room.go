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

// room is one sendwrap for all clients: it has been given the listening socket as fds 0, 1 and 2, as inetd does for
// `wait`. Unlike inetd we do not keep the socket: when the room has ended, clients find nobody.
type room struct {
	*daemon
	at     netip.AddrPort
	socket string // the listening one, as /proc/PID/fd shows it
	ledger *ledger.Ledger
	gone   chan departure
}

// openRoom opens a room at an address. The program's path stands first, its argv behind it.
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
	r := &room{at: listensAt(listener), ledger: l, gone: make(chan departure, 1)}
	if r.socket, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", socket.Fd())); err != nil {
		return nil, err
	}
	if r.daemon, err = startDaemon(program, [3]*os.File{socket, socket, stderr}); err != nil {
		return nil, err
	}
	go func() {
		<-r.ended
		r.gone <- r.how
	}()
	return r, nil
}

// environ is ours without what a service manager says to us alone.
func environ() []string {
	var list []string
	for _, pair := range os.Environ() {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC":
		default:
			list = append(list, pair)
		}
	}
	return list
}

func (r *room) address() netip.AddrPort { return r.at }

func (r *room) departed() <-chan departure { return r.gone }

// settle waits until the room is as empty as before the clients came.
func (r *room) settle(ctx context.Context, _ int, within time.Duration) (wrong []string) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		wrong = r.left()
		select {
		case <-r.ended:
			return []string{r.how.unasked("room").Error()}
		case <-ctx.Done():
			r.killMTAs(r.mtas())
			return wrong
		default:
		}
		if len(wrong) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// left says what there is of clients that have gone.
func (r *room) left() (wrong []string) {
	switch t, err := totals(r.ledger); {
	case err != nil:
		wrong = append(wrong, err.Error())
	case t.Waiting+t.Serving > 0:
		wrong = append(wrong, fmt.Sprintf("the ledger still counts %d waiting, %d serving", t.Waiting, t.Serving))
	}
	if n := len(childrenOf(r.process.Pid)); n > 0 {
		wrong = append(wrong, fmt.Sprintf("processes of the room's that did not end: %d", n))
	}
	if n := r.holds(); n > 0 {
		wrong = append(wrong, fmt.Sprintf("connections that the room still holds: %d", n))
	}
	return wrong
}

// end is the room's last scene: it is told to end, and must do so with status 0 and without an MTA that has lost its client.
func (r *room) end(ctx context.Context, within time.Duration) (seen, error) {
	told := time.Now()
	select {
	case <-r.ended:
		return seen{sights: []sight{{reply: r.how.state.String()}}, wrong: []string{r.how.unasked("room").Error()}}, nil
	default:
	}
	_ = r.process.Signal(syscall.SIGTERM) // it has not been waited for
	var s seen
	select {
	case <-r.ended:
		s.sights = []sight{{reply: r.how.state.String(), took: time.Since(told)}}
		if r.how.err != nil || !r.how.state.Success() {
			s.wrong = append(s.wrong, fmt.Sprintf("the room ended with %v; want exit status 0", r.how.state))
		}
	case <-time.After(within):
		s.sights = []sight{{reply: nothing, took: time.Since(told)}}
		s.wrong = append(s.wrong, fmt.Sprintf("the room did not end within %v of SIGTERM", within))
	case <-ctx.Done():
		return seen{}, ErrInterrupted
	}
	if left := r.mtas(); len(left) > 0 {
		s.wrong = append(s.wrong, fmt.Sprintf("processes of the room's that did not end: %d", len(left)))
	}
	return s, nil
}

// close ends the room and the MTAs that it has started.
func (r *room) close() {
	list := r.mtas()
	r.stop()
	r.killMTAs(append(list, r.mtas()...))
}
