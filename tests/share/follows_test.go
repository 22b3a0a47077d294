package share

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// A block from another machine is followed like one of this machine: on_block runs when it begins
// and when it ends, and the sessions of the client end. All commands say whose it is.
func TestBlockIsFollowed(t *testing.T) {
	t.Parallel()
	e := startEngine(t, valkey)
	a := newMachine(t, e, "mx1", quick)
	hook := filepath.Join(t.TempDir(), "hook")
	b := newMachine(t, e, "mx2", quick+"block grace=0s\non_block "+hook+"\n")
	text := "#!/bin/sh\necho \"$1 $3 $4\" >>" + b.file("hooks") + "\n"
	if err := os.WriteFile(hook, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	b.startRoom()
	for _, m := range []*machine{a, b} {
		m.startShare()
		m.waitLogged(back, 1)
	}
	c := b.dial("198.18.0.1")
	defer c.Abort()
	if got, err := c.Reply(); err != nil || !strings.HasPrefix(got, "220 ") {
		t.Fatalf("%q, %v", got, err)
	}

	a.command("block", "198.18.0.1", "1h")
	if got, err := c.Reply(); err != nil || got != "" {
		t.Errorf("the session of a blocked client goes on: %q, %v", got, err)
	}
	b.waitHooks("198.18.0.1/32 3", " administrator\n") // 3600 s, less what has passed meanwhile
	for _, words := range []string{"blocks", "blocks -json", "check 198.18.0.1", "status",
		"status -json"} {
		argv := strings.Fields(words)
		out, _ := b.try(argv[0], argv[1:]...) // check: the status is that of the verdict
		if !slices.ContainsFunc([]string{"from=mx1", `"from":"mx1"`, "mx1 has begun it"},
			func(says string) bool { return strings.Contains(out, says) }) {
			t.Errorf("sendwrap %s does not say whose block it is:\n%s", words, out)
		}
	}
	a.command("unblock", "198.18.0.1")
	b.waitHooks("\n198.18.0.1/32 0 ")
}

// waitHooks waits until on_block has written all of these.
func (m *machine) waitHooks(texts ...string) {
	m.t.Helper()
	lab.Eventually(m.t, "on_block runs", func() bool {
		out, _ := os.ReadFile(m.file("hooks"))
		for _, text := range texts {
			if !strings.Contains(string(out), text) {
				return false
			}
		}
		return true
	})
}

// The courier has no rights: it is another user, without a group or a capability of root's, and has
// no file but its standard ones and its sockets.
func TestCourierHasNoRights(t *testing.T) {
	t.Parallel()
	m := newMachine(t, startEngine(t, redis), "mx1", quick)
	m.startShare()
	m.waitLogged(back, 1)
	proc := "/proc/" + fmt.Sprint(m.courier())
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		ids := strings.Fields(value)
		switch key {
		case "Uid", "Gid", "Groups":
			if slices.Contains(ids, "0") {
				t.Errorf("the courier is root: %s", line)
			}
		case "CapPrm", "CapEff":
			if strings.Trim(value, "\t0") != "" {
				t.Errorf("the courier has capabilities: %s", line)
			}
		}
	}
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range files {
		to, _ := os.Readlink(proc + "/fd/" + fd.Name())
		if strings.HasPrefix(to, m.dir) {
			t.Errorf("the courier has %s open", to)
		}
	}
}
