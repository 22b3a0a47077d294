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

// children is how many processes the super-server has at once; further clients wait in the kernel's queue, as with any
// inetd that knows its limit.
const children = 200

// superServer is the smallest inetd: it listens, and for each client starts a program with the client's socket as fds 0, 1 and 2.
type superServer struct {
	listener *net.TCPListener
	program  []string // path, then argv
	stderr   *os.File // fd 2 of the program instead of the client; nil = the client
	strict   bool     // a process must end with status 0

	ended   chan departure // one for each client, when its process has ended
	closing chan struct{}
	places  chan struct{} // one for each child

	mu      sync.Mutex
	running map[*os.Process]bool
	all     sync.WaitGroup // the accepting goroutine, and one per child
}

// departure is the end of a connection's process.
type departure struct {
	client netip.AddrPort
	pid    int
	state  *os.ProcessState
	after  time.Duration
	err    error // the process could not be started or waited for
}

// listen opens a super-server at an address. The program's path stands first, its argv behind it.
func listen(address string, program []string, stderr *os.File) (*superServer, error) {
	l, err := listenTCP(address)
	if err != nil {
		return nil, err
	}
	s := &superServer{
		listener: l, program: program, stderr: stderr,
		ended: make(chan departure), closing: make(chan struct{}), places: make(chan struct{}, children),
		running: map[*os.Process]bool{},
	}
	s.all.Go(s.serve)
	return s, nil
}

// listenTCP opens a socket as an inetd does, which Go's default, with multipath, is not.
func listenTCP(address string) (*net.TCPListener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// address is where it listens.
func (s *superServer) address() netip.AddrPort { return listensAt(s.listener) }

func listensAt(l *net.TCPListener) netip.AddrPort {
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
		case err != nil: // out of descriptors, or the client has already gone
			<-s.places
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.all.Go(func() {
			s.attend(conn)
			<-s.places
		})
	}
}

// attend is one client, from its arrival to the end of its process.
func (s *superServer) attend(conn *net.TCPConn) {
	came := time.Now()
	a := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	d := departure{client: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}
	if p, err := s.start(conn); err != nil {
		d.err = err
	} else {
		d.pid = p.Pid
		d.state, d.err = p.Wait()
		s.mu.Lock()
		delete(s.running, p)
		s.mu.Unlock()
	}
	d.after = time.Since(came)
	select {
	case s.ended <- d:
	case <-s.closing:
	}
}

// start runs the program for the client and gives the client up to it.
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
	// StartProcess asks the file for its descriptor, at which Go makes it a blocking one: so inetd hands it on.
	p, err := os.StartProcess(s.program[0], s.program[1:], &os.ProcAttr{Dir: "/", Files: []*os.File{client, client, stderr}})
	if err == nil {
		s.running[p] = true
	}
	return p, err
}

// departed tells of each client whose process has ended.
func (s *superServer) departed() <-chan departure { return s.ended }

// settle waits for the processes of so many clients, and says what was wrong with their ends. One that does not end is
// killed, so that the next scene is not blamed for it.
func (s *superServer) settle(ctx context.Context, clients int, within time.Duration) (wrong []string) {
	gone := s.departures(ctx, clients, within)
	if left := clients - len(gone); left > 0 && ctx.Err() == nil {
		wrong = append(wrong, fmt.Sprintf("%d of %d processes did not end", left, clients))
		s.signal(os.Kill)
		s.departures(ctx, left, within)
	}
	for _, d := range gone {
		switch {
		case d.err != nil:
			wrong = append(wrong, d.err.Error())
		case s.strict && !d.state.Success():
			wrong = append(wrong, fmt.Sprintf("process %d: %v", d.pid, d.state))
		}
	}
	return wrong
}

// departures are the ends of the next n connections, or of fewer if the others do not come in time.
func (s *superServer) departures(ctx context.Context, n int, within time.Duration) []departure {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var list []departure
	for len(list) < n {
		select {
		case d := <-s.ended:
			list = append(list, d)
		case <-ctx.Done():
			return list
		}
	}
	return list
}

// mercy is how long a process has between SIGTERM and SIGKILL.
const mercy = time.Second

// close ends the super-server and the processes it has started. It returns when there are none left.
func (s *superServer) close() {
	close(s.closing)
	s.listener.Close()
	s.signal(syscall.SIGTERM)
	kill := time.AfterFunc(mercy, func() { s.signal(syscall.SIGKILL) })
	defer kill.Stop()
	s.all.Wait()
}

// signal reaches only processes that have not been waited for: os.Process sees to it that no other is hit that has
// got the same pid.
func (s *superServer) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.running {
		p.Signal(sig)
	}
}
