package share

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// process is the courier.
type process struct {
	conn    *wire.Conn
	command *exec.Cmd
	packets chan packet // closed when it has ended
	done    chan struct{}
}

type packet struct {
	verb  string
	lines []string
}

// couriers are the users as which the courier may run, if root starts it: the first that exists.
var couriers = []string{"sendwrap-share", "nobody"}

// start starts a courier.
func start(program string, s wire.Settings) (*process, error) {
	credential, err := courierUser()
	if err != nil {
		return nil, err
	}
	conn, theirs, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	p := &process{conn: conn, packets: make(chan packet, 16), done: make(chan struct{}),
		command: exec.Command(program)}
	p.command.Dir, p.command.Env = "/", []string{}
	p.command.ExtraFiles = []*os.File{theirs}
	p.command.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true}
	err = p.command.Start()
	if err == nil {
		err = conn.SendSettings(s)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	go p.receive()
	return p, nil
}

// courierUser is the user as which the courier runs; nil = this process's own, which is not root.
func courierUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range couriers {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		c := &syscall.Credential{}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err = errors.Join(err, gidErr); err != nil || uid == 0 {
			continue
		}
		c.Uid, c.Gid = uint32(uid), uint32(gid)
		groups, _ := u.GroupIds() // the group of the engine's unix socket, for instance
		for _, g := range groups {
			if n, err := strconv.ParseUint(g, 10, 32); err == nil && n != 0 {
				c.Groups = append(c.Groups, uint32(n))
			}
		}
		return c, nil
	}
	return nil, errors.New("there is neither a user " + couriers[0] + " nor " + couriers[1] +
		" for the courier; make one: useradd --system " + couriers[0])
}

// receive passes on what the courier says.
func (p *process) receive() {
	defer close(p.packets)
	for {
		verb, lines, err := p.conn.Receive()
		if err != nil {
			return
		}
		select {
		case p.packets <- packet{verb, lines}:
		case <-p.done:
			return
		}
	}
}

// stop ends the courier.
func (p *process) stop() {
	close(p.done)
	_ = p.conn.Close()
	if p.command.Process != nil {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	}
}

func (m *member) startCourier() {
	m.saidAt = time.Now()
	m.startAt = m.saidAt.Add(courierRest)
	settings, err := m.settings()
	if err == nil {
		m.courier, err = start(m.Courier, settings)
	}
	if err != nil {
		m.lose(err.Error())
		m.startAt = time.Now().Add(time.Minute)
	}
}

// endSilence replaces a courier that hangs, or that another process of its user has stopped: else
// the engine would seem to answer for ever.
func (m *member) endSilence(now time.Time) {
	if m.courier != nil && len(m.courier.packets) == 0 && now.Sub(m.saidAt) > mostSilence {
		m.lose("the courier says nothing; it is replaced")
		m.stopCourier()
	}
}

func (m *member) stopCourier() {
	if m.courier != nil {
		m.courier.stop()
		m.courier = nil
		m.startAt = time.Now().Add(courierRest)
	}
}

// loseCourier takes the engine for away until there is another courier.
func (m *member) loseCourier() {
	m.lose("the courier has ended")
	m.stopCourier()
}

// settings are what the courier has to know.
func (m *member) settings() (wire.Settings, error) {
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return wire.Settings{}, err
	}
	w, err := settingsOf(m.cfg)
	w.Name, w.Version, w.Instance = m.name, m.Version, strconv.FormatUint(s.Instance, 16)
	return w, err
}

// Name is what this machine is called among the others.
func Name(cfg *config.Config) string {
	if cfg.Share.Name != "" {
		return cfg.Share.Name
	}
	name := []byte(wrapper.HostName(&cfg.Settings))
	name = name[:min(len(name), MaxName)]
	for i := range name {
		if !IsName(string(name[i : i+1])) {
			name[i] = '_'
		}
	}
	return string(name)
}

func settingsOf(cfg *config.Config) (w wire.Settings, err error) {
	c := &cfg.Share
	w = wire.Settings{Engines: c.Engines, User: c.User, Master: c.Master, Prefix: c.Prefix,
		CountBy: strconv.Itoa(cfg.CountBy.V4) + "/" + strconv.Itoa(cfg.CountBy.V6)}
	if c.Password != "" {
		text, err := readOwn(c.Password, fileaccess.Accessible, "chmod 0600 it")
		if err != nil {
			return w, wrongFile(cfg, "password", err)
		}
		if w.Password = firstLine(text); w.Password == "" {
			return w, wrongFile(cfg, "password", errors.New(c.Password+": is empty; write the "+
				"password into it"))
		}
	}
	if c.CA != "" {
		if w.CA, err = readOwn(c.CA, fileaccess.Writable, "chmod 0644 it"); err != nil {
			return w, wrongFile(cfg, "ca", err)
		}
	}
	return w, nil
}

// wrongFile says where the file is named that is wrong.
func wrongFile(cfg *config.Config, key string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; make it, or name another one", err)
	}
	return fmt.Errorf("%s: share_engine: %s=: %w", cfg.Place("share_engine"), key, err)
}

// readOwn reads a small file that is root's, or our own, and whose mode has none of the bits.
func readOwn(name string, bits uint32, cure string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.New(name + ": is not a regular file; name another one")
	}
	if fault := fileaccess.Check(name, &st, bits, cure); fault != nil {
		return nil, fault
	}
	const most = 32 << 10 // it has a place in a packet, where base64 makes it larger by a third
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = errors.New(name + ": is too large; name another file")
	}
	return text, err
}

func firstLine(text []byte) string {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			return string(text[:i])
		}
	}
	return string(text)
}
