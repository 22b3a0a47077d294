//go:build !door && !view && !share

// Without this setting, a goroutine of the runtime checks the number of processors from time to
// time. A process that waits for one client would take 5 % more time and 40 kB (measured).
//
//go:debug updatemaxprocs=0

// Sendwrap stands between a super-server and an MTA that is started per connection: it delays the
// greeting, refuses clients that do not wait or that come too often, and becomes the MTA for the
// others. See docs/sendwrap.8.
package main

import (
	"errors"
	"fmt"
	"net/netip"
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
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/room"
)

func main() {
	if os.Args[0] == exec.RelayName {
		exec.Relay()
	}
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and returns the exit status. Without a command it serves the client
// on stdin, or many clients on listening sockets.
func run(args []string) int {
	t := takeTask() // a room that takes over has it in its environment, too
	if status, ok := takeOver(); ok {
		return status
	}
	switch {
	case len(args) == 0:
		return serve(policy.DefaultPath, t)
	case args[0] == "-f" && len(args) == 2:
		return serve(args[1], t)
	}
	// The output of a command is for an administrator, but with a wrong line in inetd.conf, stdout
	// is a client. Only the stand-in MTA of try talks to one.
	if client, err := inspectOrAccept(1); err == nil && args[0] != "try" {
		_, _ = exec.TakeStdio()
		err := fmt.Errorf("started with %q for a client; "+
			"write nothing but -f FILE after the name of the program", args)
		refuse(client, err, maillog.Syslog(maillog.DevLog))
		return admin.ExitUsage
	}
	switch args[0] {
	case "listen":
		return listen(args[1:])
	case "guard":
		return guardSessions(args[1:])
	case "share":
		return shareWithOthers(args[1:])
	case "metrics", "report", "replay", "setup", "top":
		return becomeView(args)
	}
	status := admin.Run(args, stateDir, os.Stdout, os.Stderr)
	if args[0] == "version" && status == admin.ExitOK && t.release != "" {
		fmt.Printf("started by the door program of sendwrap %s, "+
			"which reads policies of version %d\n", t.release, t.version)
	}
	return status
}

// inspectOrAccept returns the client on fd, or the next one that arrives there. If nobody accepted
// that one, inetd would start sendwrap again and again.
func inspectOrAccept(fd int) (wrapper.Connection, error) {
	client, err := wrapper.Inspect(fd)
	if errors.Is(err, wrapper.ErrListening) {
		if fd, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC); err == nil {
			return wrapper.Inspect(fd)
		}
	}
	return client, err
}

// enforced is the block as [enforce.Enforcer] carries it out.
func (b newBlock) enforced() enforce.Block {
	return enforce.Block{Network: b.Network, For: b.For, Reason: b.Reason}
}

// serve decides about the client on stdin and becomes the MTA for it. It returns only if the client
// is refused or has left. t is what the door wants of it.
func serve(file string, t task) int {
	stdio, stdioErr := exec.TakeStdio()
	log := maillog.Syslog(maillog.DevLog)
	if t.block.For > 0 {
		return carryOutAlone(file, t.block.enforced(), stdio, log)
	}
	conn, err := wrapper.Inspect(0)
	gone := errors.Is(err, wrapper.ErrGone)
	if err != nil && !gone {
		sockets, idle, warnings := listening(err)
		if len(sockets) > 0 {
			if stdioErr != nil {
				warnings = append(warnings, stdioErr.Error())
			}
			o := room.Options{File: file, Sockets: sockets, Idle: idle, Stdio: stdio}
			return serveRoom(o, warnings)
		} else if len(warnings) > 0 {
			err = errors.New(strings.Join(warnings, "\n"))
		}
		return usageError(err, stdio, log)
	}
	cfg, cfgErr := config.Load(file, allowlist.For(conn.Client.Addr()))
	switch {
	case cfg == nil && gone:
		return admin.ExitOK
	case cfg == nil:
		refuse(conn, cfgErr, log)
		return admin.ExitTemporary
	}
	log = chooseLog(cfg.Log, stdio)
	door := wrapper.NewDoor(cfg.Policy(), log)
	door.Others = func(clients []netip.Addr) policy.Rules {
		if c, _ := config.Load(file, allowlist.For(clients...)); c != nil {
			return c.Policy().Rules
		}
		return nil
	}
	door.OpenLedger()
	warnings := append(stdioWarnings(stdioErr, stdio), t.warnings()...)
	door.WarnAgain(append(warnings, config.LogLines(cfgErr, config.LineSkipped)...))
	compiler := startCompiler(file, t, door)
	block, err := serveClient(conn, gone, door, stdio, compiler.letFinish)
	if block.For > 0 {
		carryOut(block.enforced(), cfg, file, stdio, log)
	}
	compiler.wait()
	if err != nil {
		return admin.ExitTemporary
	}
	return admin.ExitOK
}

// carryOutAlone carries out a block that the door has begun.
func carryOutAlone(file string, b enforce.Block, stdio *exec.Stdio, log maillog.Log) int {
	cfg, err := config.Load(file, allowlist.For(b.Network.Addr()))
	if cfg == nil {
		_ = log.Write(maillog.Err, err.Error())
		return admin.ExitTemporary
	}
	carryOut(b, cfg, file, stdio, chooseLog(cfg.Log, stdio))
	return admin.ExitOK
}

// carryOut carries out the block that the client has caused. The client has its reply, and its
// connection is closed.
func carryOut(
	b enforce.Block, cfg *config.Config, file string, stdio *exec.Stdio, log maillog.Log,
) {
	if err := stdio.CloseClient(); err != nil {
		_ = log.Write(maillog.Warning, err.Error())
	}
	e := enforce.Enforcer{Config: cfg, Log: log}
	// cfg has the networks of this client only. The blocked network may contain allowed ones.
	if !b.Network.IsSingleIP() {
		if !e.LookForWork(b) {
			e.Trim()
			return
		}
		if e.Config, _ = config.Load(file, allowlist.All()); e.Config == nil {
			return // the log has the errors
		}
	}
	e.CarryOut(b)
}

// usageError reports that stdin is not a client: to the administrator on stderr, or to the log if
// stderr is a client.
func usageError(err error, stdio *exec.Stdio, log maillog.Log) int {
	if stdio.StderrIsClient {
		_ = log.Write(maillog.Err, err.Error())
	} else {
		fmt.Fprintf(os.Stderr, "sendwrap: %v\n\n", err)
		admin.Usage(os.Stderr)
	}
	return admin.ExitUsage
}
