package tests

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// An aTerminal runs a program and keeps what is on its screen, as an xterm has it: moves of the
// cursor, clearing, text. It ignores all else, such as colours.
type aTerminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	ended  chan error

	mu    sync.Mutex
	cells [][]rune
	x, y  int
	raw   strings.Builder // all that was written
}

// startOnTerminal starts a program on a terminal of that size, which controls it.
func startOnTerminal(t *testing.T, columns, rows uint16, env []string, argv ...string) *aTerminal {
	t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	m := &aTerminal{t: t, master: master, cmd: exec.Command(argv[0], argv[1:]...),
		ended: make(chan error, 1)}
	m.resize(columns, rows)
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = slave, slave, slave
	m.cmd.Env = append(os.Environ(), env...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go m.read()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.ended
		master.Close()
	})
	return m
}

// resize gives the terminal another size, and clears it.
func (m *aTerminal) resize(columns, rows uint16) {
	m.mu.Lock()
	m.cells = make([][]rune, rows)
	for y := range m.cells {
		m.cells[y] = []rune(strings.Repeat(" ", int(columns)))
	}
	m.mu.Unlock()
	size := unix.Winsize{Row: rows, Col: columns}
	if err := unix.IoctlSetWinsize(int(m.master.Fd()), unix.TIOCSWINSZ, &size); err != nil {
		m.t.Fatal(err)
	}
}

// sequence is what a terminal obeys: CSI, OSC, the choice of a character set, and others of ESC.
var sequence = regexp.MustCompile(
	`^\x1b(\[([0-9;?<>=!]*)[ -/]*([@-~])|\][^\a\x1b]*(\a|\x1b\\)|[()*+].|[^\[\]()*+])`)

// read puts what the program writes on the screen, until it ends.
func (m *aTerminal) read() {
	var rest string
	buf := make([]byte, 1<<16)
	for {
		n, err := m.master.Read(buf)
		m.mu.Lock()
		m.raw.Write(buf[:n])
		rest = m.write(rest + string(buf[:n]))
		m.mu.Unlock()
		if err != nil { // EIO at the end of the last process that has it
			m.ended <- m.cmd.Wait()
			close(m.ended)
			return
		}
	}
}

// write returns what is not complete yet.
func (m *aTerminal) write(text string) (rest string) {
	for text != "" {
		if text[0] == '\x1b' {
			found := sequence.FindStringSubmatch(text)
			if found == nil {
				return text
			}
			m.obey(found[2], found[3])
			text = text[len(found[0]):]
			continue
		}
		r := []rune(text)[0]
		if r == '\ufffd' && len(text) < 4 {
			return text
		}
		text = text[len(string(r)):]
		switch {
		case r == '\r':
			m.x = 0
		case r == '\n':
			m.y++
		case r == '\b':
			m.x--
		case r >= ' ':
			if 0 <= m.y && m.y < len(m.cells) && 0 <= m.x && m.x < len(m.cells[m.y]) {
				m.cells[m.y][m.x] = r
			}
			m.x++
		}
	}
	return ""
}

func (m *aTerminal) obey(numbers, command string) {
	n := strings.Split(numbers, ";")
	at := func(i int) int {
		if i >= len(n) {
			return 0
		}
		v, _ := strconv.Atoi(n[i])
		return max(v, 1) - 1
	}
	switch command {
	case "H":
		m.y, m.x = at(0), at(1)
	case "J":
		for _, row := range m.cells {
			for x := range row {
				row[x] = ' '
			}
		}
	case "K":
		if m.y < len(m.cells) {
			for x := m.x; x < len(m.cells[m.y]); x++ {
				m.cells[m.y][x] = ' '
			}
		}
	}
}

// screen is the text on the screen.
func (m *aTerminal) screen() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, row := range m.cells {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return b.String()
}

// awaits waits until the pattern is on the screen, or is not if gone.
func (m *aTerminal) awaits(pattern string, gone bool) {
	m.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	if !lab.Await(func() bool { return wanted.MatchString(m.screen()) != gone }) {
		m.t.Fatalf("on the screen, gone %v: %s\n%s", gone, pattern, m.screen())
	}
}

func (m *aTerminal) shows(pattern string) { m.t.Helper(); m.awaits(pattern, false) }

// showsWrapped is shows for a text that may be broken at the right edge.
func (m *aTerminal) showsWrapped(pattern string) {
	m.t.Helper()
	wanted := regexp.MustCompile(strings.ReplaceAll(pattern, " ", ""))
	if !lab.Await(func() bool {
		return wanted.MatchString(strings.Join(strings.Fields(m.screen()), ""))
	}) {
		m.t.Fatalf("not on the screen: %s\n%s", pattern, m.screen())
	}
}

// press types keys.
func (m *aTerminal) press(keys string) {
	m.t.Helper()
	if _, err := m.master.WriteString(keys); err != nil {
		m.t.Fatal(err)
	}
}

// ends waits until the program has ended, with that exit status, and returns all that it wrote.
func (m *aTerminal) ends(status int) string {
	m.t.Helper()
	if !lab.Await(func() bool { return len(m.ended) > 0 }) {
		m.t.Fatal("it does not end")
	}
	if got := m.cmd.ProcessState.ExitCode(); got != status {
		m.t.Errorf("exit code %d; want %d", got, status)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.raw.String()
}
