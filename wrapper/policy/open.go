package policy

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/fileaccess"
)

// Compiled is a policy in its compiled form. Its rules for networks are those for one client: for
// another one the Match is zero, as with allowlist.For. Rules for names are read when they are
// asked for. It may be used by one goroutine at a time.
type Compiled struct {
	policy   Policy
	settings Settings
	client   netip.Addr
	match    rule.Match
	access   accessMap
	sources  []Source
	warnings []string

	path   string
	fd     int
	header header
	head   head // of the first page
	page   page // the one that was read last
}

// Stale says that a policy is not that of its sources any more.
type Stale struct {
	Path   string // of the policy
	Source string // of the first file that differs; "" = the clock does
}

func (e *Stale) Error() string {
	if e.Source == "" {
		return e.Path + ": is from the future"
	}
	return e.Path + ": is older than " + e.Source
}

// Unusable says that a file is no policy that this program can use.
type Unusable struct{ Path, Why string }

func (e *Unusable) Error() string { return e.Path + ": " + e.Why }

// Open reads the policy at path and looks up the client, unless that is the zero Addr.
//
// The error says why the caller must read the text instead: a [*Stale], an [*Unusable], a
// [*fileaccess.Fault] if others could have written the policy, or an [*os.PathError], which is
// [os.ErrNotExist] if there is none.
//
// Open does not examine the directory. Others cannot put a file of their own there, since Open
// wants ours; a policy of another configuration file names that file; and an older policy is stale.
func Open(path, file string, client netip.Addr) (*Compiled, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0)
	for err == unix.EINTR {
		fd, err = unix.Open(path, flags, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	c := &Compiled{path: path, fd: fd, client: normalized(client)}
	if err := c.open(file); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Compiled) open(file string) error {
	var st unix.Stat_t
	if err := unix.Fstat(c.fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: c.path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return &Unusable{c.path, "is not a regular file"}
	}
	if fault := fileaccess.Check(c.path, &st, fileaccess.Accessible, "remove it"); fault != nil {
		return fault
	}
	if err := c.readFirst(st.Size); err != nil {
		return err
	}
	if err := c.readTexts(&c.settings); err != nil {
		return err
	}
	if err := c.checkCurrent(file); err != nil {
		return err
	}
	c.policy = Policy{Settings: &c.settings, Rules: c}
	if c.header.access.isThere() {
		c.access.Compiled, c.policy.Map = c, &c.access
	}
	if !c.client.IsValid() {
		return nil
	}
	var err error
	if c.match, err = c.lookup(&c.header.table, c.client); err == nil {
		c.access.match, err = c.lookup(&c.header.access, c.client)
	}
	return err
}

// checkCurrent compares the sources with the files as they are now.
func (c *Compiled) checkCurrent(file string) error {
	if len(c.sources) == 0 || c.sources[0].Path != file {
		return &Unusable{c.path, "is the policy of another file"}
	}
	made, now := int64(c.head.edition), time.Now().UnixNano()
	if now < made {
		return &Stale{Path: c.path}
	}
	for i := range c.sources {
		s := &c.sources[i]
		if s.Stamp != Look(s.Path) || !s.holds(made, now) {
			return &Stale{c.path, s.Path}
		}
	}
	return nil
}

// readFirst reads the first page of a file of that size.
func (c *Compiled) readFirst(size int64) error {
	if err := c.readPage(0); err != nil {
		return err
	}
	h, why := c.page.readHeader(size)
	if why != "" {
		return &Unusable{c.path, why}
	}
	c.header, c.head = h, c.page.head()
	if c.head.kind != firstPage || c.head.number != 0 {
		return c.damaged()
	}
	return nil
}

// readTexts reads what the texts hold. They begin in the first page.
func (c *Compiled) readTexts(s *Settings) error {
	first, left := c.page[headSize+headerSize:], int(c.header.texts)
	var text strings.Builder
	text.Grow(left)
	text.Write(first[:min(left, len(first))])
	for n := uint32(1); text.Len() < left; n++ {
		if err := c.read(n, textsPage); err != nil {
			return err
		}
		text.Write(c.page[headSize:][:min(left-text.Len(), bodySize)])
	}
	coder := coder{reading: true, text: text.String()}
	coder.texts(&c.sources, s, &c.warnings)
	if coder.failed || coder.text != "" {
		return c.damaged()
	}
	return nil
}

// texts codes all that is no network.
func (c *coder) texts(sources *[]Source, s *Settings, warnings *[]string) {
	const least = 7 * 8 // bytes of a source
	n := c.length(len(*sources), least)
	if c.reading {
		*sources = make([]Source, n)
	}
	for i := range *sources {
		(*sources)[i].fields(c)
	}
	s.fields(c)
	c.strings(warnings)
}

// read reads a page of that kind.
func (c *Compiled) read(number uint32, k kind) error {
	if err := c.readPage(number); err != nil {
		return err
	}
	h := c.page.head()
	if !c.page.isWhole() || h.edition != c.head.edition || h.number != number || h.kind != k {
		return c.damaged()
	}
	return nil
}

func (c *Compiled) readPage(number uint32) error {
	n, err := unix.Pread(c.fd, c.page[:], int64(number)*pageSize)
	for err == unix.EINTR {
		n, err = unix.Pread(c.fd, c.page[:], int64(number)*pageSize)
	}
	if err != nil {
		return &os.PathError{Op: "read", Path: c.path, Err: err}
	}
	if n < pageSize {
		return &Unusable{c.path, "is cut off"}
	}
	return nil
}

func (c *Compiled) damaged() error { return &Unusable{c.path, "is damaged"} }

// normalized is a client's address as the networks hold it, in the way of package allowlist.
func normalized(client netip.Addr) netip.Addr { return client.Unmap().WithZone("") }

// Policy is what the configuration means for the client. Every call returns the same settings.
func (c *Compiled) Policy() *Policy { return &c.policy }

// Warnings are the lines for the log about mistakes in the text.
func (c *Compiled) Warnings() []string { return c.warnings }

// Match returns what applies to the client that Open was asked about.
func (c *Compiled) Match(client netip.Addr) rule.Match {
	if !c.client.IsValid() || normalized(client) != c.client {
		return rule.Match{}
	}
	return c.match
}

// Others returns the rules for other clients. They are those of the same file, even if it was
// replaced meanwhile. It is nil if one of them cannot be read: nobody may rely on the others, since
// the one could be allowed.
func (c *Compiled) Others(clients []netip.Addr) Rules {
	if c.fd < 0 {
		return nil
	}
	all := &matches{c, make([]netip.Addr, len(clients)), make([]rule.Match, len(clients))}
	for i, client := range clients {
		all.clients[i] = normalized(client)
		if !client.IsValid() {
			continue
		}
		m, err := c.lookup(&c.header.table, all.clients[i])
		if err != nil {
			return nil
		}
		all.of[i] = m
	}
	return all
}

// matches are the rules for a few clients, and those of the policy for names.
type matches struct {
	*Compiled
	clients []netip.Addr
	of      []rule.Match
}

func (m *matches) Match(client netip.Addr) rule.Match {
	if i := slices.Index(m.clients, normalized(client)); i >= 0 {
		return m.of[i]
	}
	return rule.Match{}
}

// Remove removes the file, in which something could not be read: the next client has it made again.
// It leaves another file that was put in its place.
func (c *Compiled) Remove() {
	var opened, named unix.Stat_t
	if unix.Fstat(c.fd, &opened) != nil || unix.Lstat(c.path, &named) != nil ||
		opened.Dev != named.Dev || opened.Ino != named.Ino {
		return
	}
	_ = unix.Unlink(c.path) // if another one comes in this moment, it is made once more
}

// Close closes the file. A process that ends, or becomes another program, need not call it.
func (c *Compiled) Close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd = -1
}
