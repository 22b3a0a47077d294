package try

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxChildren is how many processes the super-server has at once; further clients wait in the
// kernel's queue, as with any inetd that has a limit.
const maxChildren = 200

// superServer is a minimal inetd: for each client it starts a program with the client's socket as
// fds 0, 1 and 2.
type superServer struct {
	listener *net.TCPListener
	program  []string // path, then argv
	stderr   *os.File // fd 2 of the program instead of the client; nil = the client
	strict   bool     // a process must end with status 0

	ended   chan processExit // one for each client, when its process has ended
	closing chan struct{}
	places  chan struct{} // one for each child

	mu      sync.Mutex
	running map[*os.Process]bool
	all     sync.WaitGroup // the accepting goroutine, and one per child
}

// processExit is the end of a process.
type processExit struct {
	client netip.AddrPort // of a super-server
	pid    int
	state  *os.ProcessState
	after  time.Duration
	err    error // the process could not be started or waited for
}

// listen opens a super-server at an address. program is its path, then its argv.
func listen(address string, program []string, stderr *os.File) (*superServer, error) {
	l, err := listenTCP(address)
	if err != nil {
		return nil, err
	}
	s := &superServer{
		listener: l, program: program, stderr: stderr,
		ended: make(chan processExit), closing: make(chan struct{}),
		places: make(chan struct{}, maxChildren), running: map[*os.Process]bool{},
	}
	s.all.Go(s.serve)
	return s, nil
}

// listenTCP opens a socket as an inetd does: without multipath TCP, which is Go's default.
func listenTCP(address string) (*net.TCPListener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

func (s *superServer) address() netip.AddrPort { return addressOn(s.listener) }

func addressOn(l *net.TCPListener) netip.AddrPort {
	a := l.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (s *superServer) serve() {
	for {
		select {
		case s.places <- struct{}{}:
		case <-s.closing:
			return
		}
		conn, err := s.listener.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, or the client has left
			<-s.places
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.all.Go(func() {
			s.serveClient(conn)
			<-s.places
		})
	}
}

// serveClient serves one client, from its arrival to the end of its process.
func (s *superServer) serveClient(conn *net.TCPConn) {
	start := time.Now()
	a := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	e := processExit{client: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}
	if p, err := s.start(conn); err != nil {
		e.err = err
	} else {
		e.pid = p.Pid
		e.state, e.err = p.Wait()
		s.mu.Lock()
		delete(s.running, p)
		s.mu.Unlock()
	}
	e.after = time.Since(start)
	select {
	case s.ended <- e:
	case <-s.closing:
	}
}

// start starts the program with the client's connection, and closes our end of it.
func (s *superServer) start(conn *net.TCPConn) (*os.Process, error) {
	defer conn.Close()
	client, err := conn.File()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	stderr := s.stderr
	if stderr == nil {
		stderr = client
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return nil, net.ErrClosed
	default:
	}
	// StartProcess calls Fd, which makes the socket a blocking one, as inetd passes it.
	p, err := os.StartProcess(s.program[0], s.program[1:],
		&os.ProcAttr{Dir: "/", Files: []*os.File{client, client, stderr}})
	if err == nil {
		s.running[p] = true
	}
	return p, err
}

// awaitExits waits for the processes of that many clients, and returns what was wrong with their
// ends. It kills those that do not end, so that the next scene does not count them.
func (s *superServer) awaitExits(ctx context.Context, clients int, within time.Duration) (
	problems []string) {
	ended := s.nextExits(ctx, clients, within)
	if left := clients - len(ended); left > 0 && ctx.Err() == nil {
		problems = append(problems, fmt.Sprintf("%d of %d processes did not end", left, clients))
		s.signal(os.Kill)
		s.nextExits(ctx, left, within)
	}
	for _, e := range ended {
		switch {
		case e.err != nil:
			problems = append(problems, e.err.Error())
		case s.strict && !e.state.Success():
			problems = append(problems, fmt.Sprintf("process %d: %v", e.pid, e.state))
		}
	}
	return problems
}

// nextExits are the next n exits, or fewer if the others do not come in time.
func (s *superServer) nextExits(ctx context.Context, n int, within time.Duration) []processExit {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var list []processExit
	for len(list) < n {
		select {
		case e := <-s.ended:
			list = append(list, e)
		case <-ctx.Done():
			return list
		}
	}
	return list
}

// killDelay is the time between SIGTERM and SIGKILL.
const killDelay = time.Second

// close ends the super-server and the processes that it has started. It returns when none is left.
func (s *superServer) close() {
	close(s.closing)
	s.listener.Close()
	s.signal(syscall.SIGTERM)
	kill := time.AfterFunc(killDelay, func() { s.signal(syscall.SIGKILL) })
	defer kill.Stop()
	s.all.Wait()
}

// signal reaches only processes that have not been waited for: os.Process does not signal another
// process that has got the same pid.
func (s *superServer) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.running {
		p.Signal(sig)
	}
}
