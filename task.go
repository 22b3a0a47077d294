//go:build !view && !share

package main

import "strconv"

// task is what the door leaves to the full program, which has the same arguments and descriptors.
// It is the value of the environment variable [exec.DoorVariable].
type task struct {
	version int      // of the policies that the door reads
	release string   // of the door; "" = no door has started this program
	compile bool     // the policy cannot be used: make a new one, beside serving the client
	block   newBlock // to carry out: the client has had its reply, and must not be served
}

// String is "1/0.9.0 serve", "… compile", or "… block NETWORK NANOSECONDS REASON". Programs of all
// versions read it.
func (t task) String() string {
	version := strconv.Itoa(t.version) + "/" + t.release
	switch b := t.block; {
	case b.For > 0:
		return version + " block " + b.Network.String() + " " +
			strconv.FormatInt(int64(b.For), 10) + " " + b.Reason
	case t.compile:
		return version + " compile"
	}
	return version + " serve"
}
