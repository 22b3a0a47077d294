package room

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// An early talker's block is carried out: its other sessions end, the room does not, and on_block
// does not run, because the client is on loopback.
func TestStrikeCarriedOut(t *testing.T) {
	h := build(t, slow+"client 127.8.0.2 greet_delay=0s\n"+
		"count_by 24 64\nremember 0\nblock strikes=1 grace=200ms\n"+
		"on_block /proc/self/cwd/nowhere\n")
	hook := h.file("hook")
	script := "#!/bin/sh\necho \"$@\" >>" + h.file("calls") + "; echo no such table >&2; exit 3\n"
	if err := os.WriteFile(hook, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	h.script("echo 220 ready; exec sleep 600")
	h.door.Policy.OnBlock = []string{hook, "arg"}
	h.begin()
	served := h.guest("127.8.0.2")
	h.until("one has its MTA", func() bool { return len(h.mtas.running) == 1 })
	expect(t, served, "220 ready")
	waits, early := h.guest("127.8.0.3"), h.guest("127.8.0.4")
	if _, err := early.Write([]byte("EHLO bot\r\n")); err != nil {
		t.Fatal(err)
	}
	h.until("it is refused", func() bool { return h.refused > 0 })
	expect(t, early, "554 5.5.1 ")
	h.until("so is the other", func() bool { return h.logged("BLOCKED client=[127.8.0.3]") == 1 })
	expect(t, waits, "421 4.7.1 ")
	h.until("its MTA has ended", func() bool { return len(h.mtas.running) == 0 })
	if h.logged("ENDED client=[127.8.0.2]", "signal=15") != 1 {
		t.Errorf("log: %q", h.lines)
	}
	h.until("the log says so", func() bool {
		return h.logged("END network=127.8.0.0/24 ended=1 reason=pregreet:ehlo") == 1
	})
	if text, _ := os.ReadFile(h.file("calls")); len(text) > 0 {
		t.Errorf("on_block has run for loopback: %s", text)
	}
}

// The room reaps hooks and MTAs, and neither gets the other's exit status.
func TestHookInRoom(t *testing.T) {
	h := build(t, "allow 127.0.0.0/8\nspawn_rate 1000\n")
	hook := h.file("hook")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.script("read x; exit 7")
	h.begin()
	const hooks, clients = 40, 40
	ended := make(chan error, hooks)
	go func() {
		for i := range hooks {
			err := h.hooks.Run([]string{hook, strconv.Itoa(i)}, nil, lab.Patience)
			said := fmt.Sprintf("%s: exit status %d", hook, i)
			if i == 0 && err == nil || i > 0 && err != nil && err.Error() == said {
				ended <- nil
				continue
			}
			ended <- fmt.Errorf("hook %d: %v", i, err)
		}
	}()
	for i := range clients {
		c := h.guest(address(i))
		_, _ = c.Write([]byte("x\n"))
	}
	h.until("all have ended", func() bool {
		return len(ended) == hooks && h.mtas.jobCount == clients &&
			h.mtas.starting == 0 && len(h.mtas.running) == 0
	})
	for range hooks {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}
