//go:build !view && !share

package main

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The way of one client on stdin, which the door and the full program share.

// newBlock is a block that began with the client's offence; see enforce.Block. For is 0 for none.
type newBlock struct {
	Network netip.Prefix
	For     time.Duration
	Reason  string
}

// serveClient decides about the client and becomes the MTA for it, after beforeMTA. It returns only
// if the client is refused or has left. The error is why the MTA could not be started; it is
// logged.
func serveClient(
	conn wrapper.Connection, gone bool, door *wrapper.Door, stdio *exec.Stdio, beforeMTA func(),
) (block newBlock, err error) {
	if gone && !conn.Client.IsValid() {
		door.CountGone()
		return block, nil
	}
	session := door.NewSession(conn)
	if gone {
		session.RunGone()
	}
	if gone || !session.Run() {
		block.Network, block.For, block.Reason = session.Block()
		return block, nil
	}
	door.WarnUnfit()
	if err := stdio.SetStderr(exec.Stderr(door.Policy.MTAStderr)); err != nil {
		door.WarnAgain([]string{"mta_stderr: " + err.Error()})
	}
	host := wrapper.HostName(door.Policy.Settings)
	ends := exec.Ends{Client: conn.Client, Server: conn.Server, Host: host}
	beforeMTA()
	err = stdio.Replace(door.Policy.MTA, exec.Environ(), ends)
	session.Fail(err)
	session.RefuseAndLinger()
	return block, err
}

// refuse refuses a client that cannot be served because of an error, and logs the error.
func refuse(conn wrapper.Connection, cause error, log maillog.Log) {
	err := wrapper.RefuseUnconfigured(conn, cause, log)
	if errors.Is(err, unix.EMFILE) {
		// With an RLIMIT_NOFILE of 3, the configuration cannot be read and the log not be written.
		// The client has its reply: close fd 1 to have a descriptor for the log.
		unix.Close(1)
		_ = log.Write(maillog.Err, cause.Error())
	}
}

// chooseLog returns the log that the configuration names, but never the client's own socket.
func chooseLog(to policy.LogTarget, stdio *exec.Stdio) maillog.Log {
	switch {
	case to == policy.None:
		return maillog.None()
	case to == policy.Stderr && !stdio.StderrIsClient:
		return maillog.Stderr()
	}
	return maillog.Syslog(maillog.DevLog)
}

// stdioWarnings are about mistakes of the super-server's configuration that do not stop the
// service.
func stdioWarnings(err error, stdio *exec.Stdio) []string {
	var texts []string
	if err != nil {
		texts = append(texts, err.Error())
	}
	if stdio.StdoutReplaced {
		texts = append(texts, "fd 1 was not the client's socket; "+
			"start sendwrap with the client on stdout, too (systemd: no StandardOutput=)")
	}
	return texts
}
