//go:build share

// The share program is the courier of `sendwrap share`: it speaks to Valkey or Redis, and to nobody
// else but the member that has started it. It is a program of its own so that what speaks TLS and
// the engine's protocol is linked into no program that has rights.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/share/courier"
	"sendwrap/wrapper/share/wire"
)

// memberFD is where the member is.
const memberFD = 3

func main() { os.Exit(run()) }

func run() int {
	conn, err := wire.Take(os.NewFile(memberFD, "member"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "sendwrap-share: started by sendwrap share; type that")
		return 100
	}
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // an older kernel has no such bit
	if courier.Run(conn) != nil {
		return 111
	}
	return 0
}
