// The runtime would keep a goroutine that looks now and then how many processors there are: with it
// a process that waits for one client costs 5 % more time and 40 kB (measured).
//
//go:debug updatemaxprocs=0

// Sendwrap stands between a super-server and an MTA that is started per connection: it
// withholds the greeting for a moment, refuses clients that cannot wait or that come too
// often, and becomes the MTA for the others. See docs/sendwrap.8.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/room"
)

func main() {
	if os.Args[0] == exec.RelayName {
		exec.Relay()
	}
	os.Exit(run(os.Args[1:]))
}

// run does what the command line says; when it says nothing, or only which configuration to use, it
// serves the client on stdin, or many clients if a listening socket is what it was given. It
// returns the exit code.
func run(args []string) int {
	if code, is := takeOver(); is {
		return code
	}
	switch {
	case len(args) == 0:
		return serve(config.DefaultPath)
	case args[0] == "-f" && len(args) == 2:
		return serve(args[1])
	}
	// What a command prints is for people. A client may be in their place, by a wrong line in
	// inetd.conf; only the stand-in MTA of try speaks to one.
	if client, err := visitor(1); err == nil && args[0] != "try" {
		_, _ = exec.TakeStdio()
		turnAway(client, fmt.Errorf("started with %q for a client; write nothing but -f FILE behind the name of the program", args),
			maillog.Syslog(maillog.DevLog))
		return admin.ExitUsage
	}
	switch args[0] {
	case "listen":
		return listen(args[1:])
	case "guard":
		return guardSessions(args[1:])
	}
	return admin.Run(args, os.Stdout, os.Stderr)
}

// visitor is the client on fd, or the next one that arrives there: inetd starts us anew for as long
// as one waits.
func visitor(fd int) (wrapper.Connection, error) {
	client, err := wrapper.Inspect(fd)
	if errors.Is(err, wrapper.ErrListening) {
		if fd, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil {
			return wrapper.Inspect(fd)
		}
	}
	return client, err
}

// serve decides about the client on stdin and becomes the MTA for it. It returns only if the client
// is not served.
func serve(file string) int {
	stdio, stdioErr := exec.TakeStdio()
	log := maillog.Syslog(maillog.DevLog)
	conn, err := wrapper.Inspect(0)
	gone := errors.Is(err, wrapper.ErrGone)
	if err != nil && !gone {
		if sockets, idle, wrong := listening(err); len(sockets) > 0 {
			if stdioErr != nil {
				wrong = append(wrong, stdioErr.Error())
			}
			return serveRoom(room.Options{File: file, Sockets: sockets, Idle: idle, Stdio: stdio}, wrong)
		} else if len(wrong) > 0 {
			err = errors.New(strings.Join(wrong, "\n"))
		}
		return complain(err, stdio, log)
	}
	cfg, wrong := config.Load(file, allowlist.For(conn.Client.Addr()))
	switch {
	case cfg == nil && gone:
		return admin.ExitOK
	case cfg == nil:
		turnAway(conn, wrong, log)
		return admin.ExitTemporary
	}
	log = chooseLog(cfg.Log, stdio)
	door := wrapper.NewDoor(cfg, log)
	door.File = file
	door.OpenLedger()
	door.WarnAgain(warnings(stdioErr, stdio, wrong))
	if gone && !conn.Client.IsValid() {
		door.CountGone()
		return admin.ExitOK
	}
	session := door.NewSession(conn)
	if gone {
		session.Gone()
	}
	if gone || !session.Run() {
		if network, d, reason := session.Block(); d > 0 {
			carryOut(enforce.Block{Network: network, For: d, Reason: reason}, cfg, file, stdio, log)
		}
		return admin.ExitOK
	}
	door.WarnUnfit()
	if err := stdio.SetStderr(exec.Stderr(cfg.MTAStderr)); err != nil {
		door.WarnAgain([]string{"mta_stderr: " + err.Error()})
	}
	ends := exec.Ends{Client: conn.Client, Server: conn.Server, Host: wrapper.HostName(cfg)}
	session.Fail(stdio.Replace(cfg.MTA, os.Environ(), ends))
	session.HangUp()
	return admin.ExitTemporary
}

// carryOut does what is to be done about a block that the client has earned, when it has its reply
// and nothing keeps it any more.
func carryOut(b enforce.Block, cfg *config.Config, file string, stdio *exec.Stdio, log maillog.Log) {
	if err := stdio.LetGo(); err != nil {
		_ = log.Write(maillog.Warning, err.Error())
	}
	e := enforce.Enforcer{Config: cfg, Log: log}
	// There may be others in the network than the client that cfg was loaded for, and allowed ones.
	if !b.Network.IsSingleIP() {
		if !e.NeedsNetworks(b) {
			e.Trim()
			return
		}
		if e.Config, _ = config.Load(file, allowlist.All()); e.Config == nil {
			return // the log has what is wrong with it
		}
	}
	e.CarryOut(b)
}

// complain tells an administrator that stdin is no client: on stderr if a person may be there, and
// never to a client.
func complain(err error, stdio *exec.Stdio, log maillog.Log) int {
	if stdio.StderrIsClient {
		_ = log.Write(maillog.Err, err.Error())
	} else {
		fmt.Fprintf(os.Stderr, "sendwrap: %v\n\n", err)
		admin.Usage(os.Stderr)
	}
	return admin.ExitUsage
}

// turnAway refuses the client when the configuration cannot be read.
func turnAway(conn wrapper.Connection, why error, log maillog.Log) {
	err := wrapper.TurnAway(conn, why, log)
	if errors.Is(err, unix.EMFILE) {
		// With RLIMIT_NOFILE of 3 that is why the configuration cannot be read, either. fd 1, of no
		// use any more, makes room, so that an administrator learns of it.
		unix.Close(1)
		_ = log.Write(maillog.Err, why.Error())
	}
}

// chooseLog is the log that the configuration names, but never the client's own socket.
func chooseLog(to config.LogTarget, stdio *exec.Stdio) maillog.Log {
	switch {
	case to == config.None:
		return maillog.None()
	case to == config.Stderr && !stdio.StderrIsClient:
		return maillog.Stderr()
	}
	return maillog.Syslog(maillog.DevLog)
}

// warnings say what is wrong and was got over.
func warnings(stdioErr error, stdio *exec.Stdio, wrong error) []string {
	var texts []string
	if stdioErr != nil {
		texts = append(texts, stdioErr.Error())
	}
	if stdio.StdoutWasLost {
		texts = append(texts, "fd 1 was not the client's socket; start sendwrap with the client on stdout, too (systemd: no StandardOutput=)")
	}
	return append(texts, config.LogLines(wrong, config.LineSkipped)...)
}
