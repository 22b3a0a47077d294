package main

import (
	"errors"
	"fmt"
	"os"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/room"
)

// listening are the sockets on which a room is to serve: the one on stdin, as inetd and xinetd give
// it to whom they wait for, and those that the environment promises. Whoever put it on stdin takes
// it back when the room is idle. stdin says what is wrong with stdin as a client.
func listening(stdin error) (sockets []int, idle bool, wrong []string) {
	sockets, wrong = exec.Passed(room.Listening)
	if len(sockets) > 0 {
		return sockets, false, wrong // if stdin is a socket, it is one of these
	}
	if errors.Is(stdin, wrapper.ErrListening) {
		return []int{0}, true, wrong
	}
	return nil, false, wrong
}

// listen opens sockets of its own and serves there until it is told to stop.
func listen(args []string) int {
	file, addresses, status, ok := admin.Parse("listen", args, 1, 1000)
	if !ok {
		return status
	}
	stdio, _ := exec.TakeStdio() // there is no client yet, so nothing can be wrong with what it gets
	var sockets []int
	for _, address := range addresses {
		fd, err := room.Listen(address)
		if err != nil {
			fmt.Fprintf(os.Stderr, "sendwrap listen: %v\n", err)
			if wrong := new(room.AddressError); errors.As(err, &wrong) {
				return admin.ExitUsage
			}
			return admin.ExitTemporary
		}
		sockets = append(sockets, fd)
	}
	for _, at := range room.Addresses(sockets) {
		fmt.Fprintf(os.Stderr, "sendwrap listen: process %d listens at %v\n", os.Getpid(), at)
	}
	return serveRoom(room.Options{File: file, Sockets: sockets, Stdio: stdio}, nil)
}

// takeOver goes on with the room of the program in whose place we are, if there was one.
func takeOver() (code int, is bool) {
	heir, is, err := room.TakeOver(options(room.Options{Stdio: new(exec.Stdio)}))
	if err == nil && is {
		err = heir.Run()
	}
	return told(err), is
}

// serveRoom serves on listening sockets until it is told to stop, or has had no clients for long
// enough.
func serveRoom(o room.Options, wrong []string) int {
	log := maillog.Syslog(maillog.DevLog)
	for _, text := range wrong {
		_ = log.Write(maillog.Warning, text)
	}
	return told(room.Run(options(o)))
}

// options are completed by what is the same in every room.
func options(o room.Options) room.Options {
	o.LogTo = func(to config.LogTarget) maillog.Log { return chooseLog(to, o.Stdio) }
	return o
}

// told is the exit code of a room, whose error the log has.
func told(err error) int {
	if err == nil {
		return admin.ExitOK
	}
	_ = maillog.Syslog(maillog.DevLog).Write(maillog.Err, err.Error())
	return admin.ExitTemporary
}
