package packaging

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// machine is a network namespace, which the end of the test removes.
type machine struct {
	t *testing.T
	*lab.Thread
}

func newMachine(t *testing.T) machine {
	t.Helper()
	lab.NeedProgram(t, "nft")
	lab.NeedProgram(t, "ip")
	lab.NeedRoot(t)
	thread, err := lab.NewThread(unix.CLONE_NEWNET)
	if err != nil {
		lab.Need(t, err.Error())
	}
	t.Cleanup(thread.Close)
	m := machine{t, thread}
	m.ip("link set lo up")
	return m
}

// firewall is a machine with our sets.
func firewall(t *testing.T) machine {
	t.Helper()
	m := newMachine(t)
	m.must("nft", "-f", "nftables.conf")
	return m
}

// The server, and a client that is never blocked.
var (
	server4 = netip.MustParseAddrPort("192.0.2.25:25")
	server6 = netip.MustParseAddrPort("[2001:db8:0:25::25]:25")
)

const (
	other4 = "192.0.2.1"
	other6 = "2001:db8:0:25::1"
)

// twoMachines are a server that echoes on port 25, behind our sets, and a machine that may have any
// address of 198.51.100.0/24, 203.0.113.0/24, 2001:db8:1::/48 and 2001:db8:2::/48.
func twoMachines(t *testing.T) (server, client machine) {
	t.Helper()
	server, client = firewall(t), newMachine(t)
	server.ip("link add wire type veth peer name wire netns " + strconv.Itoa(client.ID))
	for m, last := range map[machine]string{server: "25", client: "1"} {
		m.ip("addr add 192.0.2."+last+"/24 dev wire",
			"addr add 2001:db8:0:25::"+last+"/64 dev wire nodad", "link set wire up")
	}
	server.ip("route add default via "+other4, "-6 route add default via "+other6)
	client.ip("route add local 198.51.100.0/24 dev lo", "route add local 203.0.113.0/24 dev lo",
		"-6 route add local 2001:db8:1::/48 dev lo", "-6 route add local 2001:db8:2::/48 dev lo")
	var l net.Listener
	var err error
	server.Do(func() { l, err = net.Listen("tcp", ":25") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	for _, other := range []string{other4, other6} { // the interfaces take a moment
		lab.Eventually(t, other+" reaches the server", func() bool {
			_, err := client.dial(other)
			return err == nil
		})
	}
	return server, client
}

func (m machine) ip(lines ...string) {
	m.t.Helper()
	var err error
	m.Do(func() { err = lab.IP(lines...) })
	if err != nil {
		m.t.Fatal(err)
	}
}

// run runs a program with almost no environment, and returns its output.
func (m machine) run(argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"SENDWRAP_REASON=x"}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	var err error
	m.Do(func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	return output.String(), err
}

func (m machine) must(argv ...string) string {
	m.t.Helper()
	out, err := m.run(argv...)
	if err != nil {
		m.t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return out
}

// hook runs sendwrap-nft, which must succeed and print nothing.
func (m machine) hook(network, family string, seconds int) {
	m.t.Helper()
	out, err := m.run("./sendwrap-nft", network, family, strconv.Itoa(seconds), "reason")
	if err != nil || out != "" {
		m.t.Errorf("sendwrap-nft %s %s %d: %v\n%s", network, family, seconds, err, out)
	}
}

// connect begins a client's connection with the server, and does not wait for the answer.
func (m machine) connect(client string) (fd int) {
	m.t.Helper()
	from := netip.MustParseAddr(client)
	to := server4
	if from.Is6() {
		to = server6
	}
	family, here := sockaddr(netip.AddrPortFrom(from, 0))
	_, remote := sockaddr(to)
	var err error
	m.Do(func() {
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err == nil { // the address is local by a route, not on an interface
			err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
		}
		if err == nil {
			err = unix.Bind(fd, here)
		}
		if err == nil {
			err = unix.Connect(fd, remote)
		}
	})
	if err != unix.EINPROGRESS {
		m.t.Fatalf("%s connects: %v", client, err)
	}
	return fd
}

func sockaddr(a netip.AddrPort) (family int, sa unix.Sockaddr) {
	if a.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// answered waits for the server's answer to a connection: nil if the server has accepted it,
// ETIMEDOUT if there is no answer.
func answered(fd int, patience time.Duration) error {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for deadline := time.Now().Add(patience); ; {
		n, err := unix.Poll(polled, int(max(0, time.Until(deadline).Milliseconds())))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		default:
			errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if errno != 0 {
				return unix.Errno(errno)
			}
			return err
		}
	}
}

// dial connects a client with the server, and checks that the server echoes.
func (m machine) dial(client string) (*lab.Client, error) {
	m.t.Helper()
	file := os.NewFile(uintptr(m.connect(client)), client)
	defer file.Close()
	if err := answered(int(file.Fd()), lab.Patience); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	m.t.Cleanup(func() { conn.Close() })
	c := &lab.Client{Conn: conn, In: bufio.NewReader(conn)}
	return c, echo(c)
}

// echo sends a line and waits for its echo.
func echo(c *lab.Client) error {
	got, err := c.Say("421 4.7.0")
	if err == nil && got != "421 4.7.0" {
		err = fmt.Errorf("the server sends %q", got)
	}
	return err
}

// reaches checks that a client can connect.
func (m machine) reaches(client, when string) {
	m.t.Helper()
	if _, err := m.dial(client); err != nil {
		m.t.Errorf("%s, %s: %v", client, when, err)
	}
}

// blocked checks that a client's packets are dropped: another client that connects later gets an
// answer first.
func (m machine) blocked(client, when string) {
	m.t.Helper()
	fd := m.connect(client)
	defer unix.Close(fd)
	other := other4
	if strings.Contains(client, ":") {
		other = other6
	}
	m.reaches(other, "which is never blocked")
	if err := answered(fd, 0); err != unix.ETIMEDOUT {
		m.t.Errorf("%s, %s: the server answers (%v); want no answer", client, when, err)
	}
}

var sets = map[string]string{"ipv4": "blocked4", "ipv6": "blocked6"}

// elements are the networks in a set, and the seconds until each expires.
func (m machine) elements(family string) map[netip.Prefix]int {
	m.t.Helper()
	out := m.must("nft", "-j", "list", "set", "inet", "sendwrap", sets[family])
	var list struct {
		Nftables []struct {
			Set struct {
				Elem []struct {
					Elem struct {
						Val     json.RawMessage
						Expires int
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	all := map[netip.Prefix]int{}
	for _, object := range list.Nftables {
		for _, e := range object.Set.Elem {
			var one netip.Addr // or a network
			var many struct {
				Prefix struct {
					Addr netip.Addr
					Len  int
				}
			}
			network := netip.Prefix{}
			if json.Unmarshal(e.Elem.Val, &one) == nil {
				network = netip.PrefixFrom(one, one.BitLen())
			} else if json.Unmarshal(e.Elem.Val, &many) == nil {
				network = netip.PrefixFrom(many.Prefix.Addr, many.Prefix.Len)
			}
			if !network.IsValid() {
				m.t.Fatalf("element %s is no network\n%s", e.Elem.Val, out)
			}
			all[network] = e.Elem.Expires
		}
	}
	return all
}
