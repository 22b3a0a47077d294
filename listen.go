//go:build !door && !view && !share

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/room"
)

// listening returns the sockets on which a room is to serve: those that a service manager has
// passed, or stdin, as inetd and xinetd with "wait" pass it. stdinErr says why stdin is not a
// client. idle reports that the room must end when it is idle, so that inetd or xinetd gets the
// socket back.
func listening(stdinErr error) (sockets []int, idle bool, warnings []string) {
	sockets, warnings = exec.Passed(room.Listening)
	if len(sockets) > 0 {
		return sockets, false, warnings // if stdin is a socket, it is one of these
	}
	if errors.Is(stdinErr, wrapper.ErrListening) {
		return []int{0}, true, warnings
	}
	return nil, false, warnings
}

// listen serves on sockets of its own until a signal stops it.
func listen(args []string) int {
	flags := flag.NewFlagSet("listen", flag.ContinueOnError)
	file, addresses, status, ok := admin.Parse(flags, args, 1, 1000)
	if !ok {
		return status
	}
	stdio, _ := exec.TakeStdio() // no client yet: no error matters
	var sockets []int
	for _, address := range addresses {
		fd, err := room.Listen(address)
		if err != nil {
			fmt.Fprintf(os.Stderr, "sendwrap listen: %v\n", err)
			if invalid := new(room.AddressError); errors.As(err, &invalid) {
				return admin.ExitUsage
			}
			return admin.ExitTemporary
		}
		sockets = append(sockets, fd)
	}
	for _, at := range room.Addresses(sockets) {
		fmt.Fprintf(os.Stderr, "sendwrap listen: process %d listens on %v\n", os.Getpid(), at)
	}
	return serveRoom(room.Options{File: file, Sockets: sockets, Stdio: stdio}, nil)
}

// takeOver continues the room of an older program that has become this one by SIGUSR2. ok reports
// whether there was such a room.
func takeOver() (status int, ok bool) {
	successor, ok, err := room.TakeOver(options(room.Options{Stdio: new(exec.Stdio)}))
	if err == nil && ok {
		exec.SetName(exec.RoomName) // execve has given it the name of the program
		err = successor.Run()
	}
	return exitStatus(err), ok
}

// serveRoom serves on listening sockets until a signal stops it, or until it has been idle for
// room_idle.
func serveRoom(o room.Options, warnings []string) int {
	exec.SetName(exec.RoomName)
	log := maillog.Syslog(maillog.DevLog)
	for _, text := range warnings {
		_ = log.Write(maillog.Warning, text)
	}
	return exitStatus(room.Run(options(o)))
}

// options adds what is the same for every room.
func options(o room.Options) room.Options {
	o.LogTo = func(to policy.LogTarget) maillog.Log { return chooseLog(to, o.Stdio) }
	return o
}

// exitStatus logs the error of a room or guard and returns the exit status.
func exitStatus(err error) int {
	if err == nil {
		return admin.ExitOK
	}
	_ = maillog.Syslog(maillog.DevLog).Write(maillog.Err, err.Error())
	return admin.ExitTemporary
}
