//go:build !door && !view && !share

package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/compile"
	"sendwrap/wrapper/policy"
)

// What the full program does for the door.

// stateDir is where the policies are. The linker may set it; see Makefile.
var stateDir = policy.Dir

// takeTask is what the door wants of this process. Nothing that this process starts learns of it.
func takeTask() task {
	text, found := os.LookupEnv(exec.DoorVariable)
	if !found {
		return task{version: policy.Version}
	}
	_ = os.Unsetenv(exec.DoorVariable)
	return parseTask(text)
}

// parseTask reads what String has written. Without any sense, the client is served.
func parseTask(text string) (t task) {
	version, text, _ := strings.Cut(text, " ")
	version, t.release, _ = strings.Cut(version, "/")
	t.version, _ = strconv.Atoi(version)
	t.compile = text == "compile"
	if block, found := strings.CutPrefix(text, "block "); found {
		network, block, _ := strings.Cut(block, " ")
		nanoseconds, reason, _ := strings.Cut(block, " ")
		t.block.Network, _ = netip.ParsePrefix(network)
		d, _ := strconv.ParseInt(nanoseconds, 10, 64)
		t.block.For, t.block.Reason = time.Duration(d), reason
	}
	return t
}

// warnings say that the door is not of this build.
func (t task) warnings() []string {
	if t.version == policy.Version {
		return nil
	}
	return []string{"the program that is started for each connection reads policies of version " +
		strconv.Itoa(t.version) + ", and this one writes version " + strconv.Itoa(policy.Version) +
		"; install both programs of one build: until then each client starts both"}
}

// compiler makes a policy while the client waits.
type compiler struct {
	door *wrapper.Door
	path string
	done chan error // nil = there is none to make
}

// finishTime is for how long a client that may have its MTA waits for the policy. Without any time,
// a site whose clients never wait would never get one.
const finishTime = 250 * time.Millisecond

// startCompiler makes the policy of the file if the door has asked for it.
func startCompiler(file string, t task, door *wrapper.Door) *compiler {
	path, ok := policy.Path(stateDir, file)
	if !ok || !t.compile || t.version != policy.Version {
		return &compiler{}
	}
	c := &compiler{door, path, make(chan error, 1)}
	go func() { c.done <- compile.Renew(file, path) }()
	return c
}

// letFinish gives the compiler a moment.
func (c *compiler) letFinish() { c.waitFor(time.After(finishTime)) }

// wait waits for the compiler's end, when no client waits for us.
func (c *compiler) wait() { c.waitFor(nil) }

// waitFor logs why no policy can be made, but not that we may not write there: that is as it was
// before there were policies, and sendwrap check says it.
func (c *compiler) waitFor(end <-chan time.Time) {
	if c.done == nil {
		return
	}
	select {
	case err := <-c.done:
		c.done = nil
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
			c.door.WarnAgain([]string{c.path + ": " + err.Error() +
				"; until it can be written, each client starts two programs"})
		}
	case <-end:
	}
}
