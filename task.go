package main

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// task is what the door leaves to the full program, which has the same arguments and descriptors.
// It is the value of the environment variable [exec.DoorVariable].
type task struct {
	version int      // of the policies that the door reads
	compile bool     // the policy cannot be used: make a new one, beside serving the client
	block   newBlock // to carry out: the client has had its reply, and must not be served
}

// String is "1 serve", "1 compile", or "1 block NETWORK NANOSECONDS REASON". Programs of all
// versions read it.
func (t task) String() string {
	version := strconv.Itoa(t.version)
	switch b := t.block; {
	case b.For > 0:
		return version + " block " + b.Network.String() + " " +
			strconv.FormatInt(int64(b.For), 10) + " " + b.Reason
	case t.compile:
		return version + " compile"
	}
	return version + " serve"
}

// parseTask reads what String has written. Without any sense, the client is served.
func parseTask(text string) (t task) {
	version, text, _ := strings.Cut(text, " ")
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
