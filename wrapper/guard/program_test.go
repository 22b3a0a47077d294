package guard

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/milter"
)

// perSession bounds the memory of a session, with heap and stack, in bytes.
const perSession = 7 << 10

// private is the memory that a process shares with no other, in bytes.
func private(t testing.TB, pid int) (sum int) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	mustDo(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if strings.HasPrefix(words[0], "Private_") {
			n, err := strconv.Atoi(words[1])
			mustDo(t, err)
			sum += n << 10
		}
	}
	return sum
}

// The installed program: a session byte by byte, its log lines, and the memory of a thousand
// sessions that have begun a message and send nothing more.
func TestProgram(t *testing.T) {
	p := build(t, "log stderr\nmode enforce\n")
	program := p.file("sendwrap")
	mustDo(t, lab.Build(program, false)) // the race detector's memory would be most of all
	cmd := exec.Command(program, "guard", "-f", p.file("conf"))
	said, err := os.Create(p.file("stderr"))
	mustDo(t, err)
	defer said.Close()
	cmd.Stderr = said
	child(t, cmd)
	lab.Eventually(t, "the guard answers", func() bool { return speaks("unix", p.socket) })

	for _, bytes := range [][]byte{length(0), length(1 << 31), length(milter.MaxPacket + 1),
		frame("Z"), frame("\x00"), frame("D"), frame("C")} {
		m := p.mta()
		m.raw(bytes)
		m.gone()
	}
	p.client("192.0.2.1").play("mail good bad", "c c c")
	m := p.client("192.0.2.1")
	m.play("mail bad", "c c")
	began := time.Now()
	m.play("good bad bad good", "c c 421 421")
	if d := time.Since(began); d < 2*time.Second {
		t.Errorf("two answers are held back for %v; want a second each", d)
	}

	open := func(n int) {
		m := p.client(fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&0xff, n&0xff))
		m.play("mail good", "c c")
	}
	const once, sessions = 100, 1000
	for n := range once { // what is taken only once
		open(n)
	}
	before := private(t, cmd.Process.Pid)
	for n := range sessions {
		open(once + n)
	}
	var each int
	if !lab.Await(func() bool { // the guard gives back what it has used in passing
		each = (private(t, cmd.Process.Pid) - before) / sessions
		return each <= perSession
	}) {
		t.Errorf("a session takes %d bytes; want %d", each, perSession)
	}
	t.Logf("%d bytes a session", each)

	mustDo(t, cmd.Process.Signal(unix.SIGTERM), cmd.Wait())
	text, err := os.ReadFile(said.Name())
	mustDo(t, err)
	line := regexp.MustCompile(`(?m)^sendwrap\[\d+\]: BADRCPTS client=\[192\.0\.2\.1\]:40000 ` +
		`network=192\.0\.2\.1/32 bad=3/3 total=4/10 `)
	if !line.Match(text) || strings.Contains(string(text), "panic") {
		t.Errorf("the log is\n%s", text)
	}
}
