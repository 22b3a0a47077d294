//go:build view

// See main.go.
//
//go:debug updatemaxprocs=0

// The view program has the commands for people that look at sendwrap from outside: metrics, report,
// replay, setup and top. It is a program of its own, which the full one becomes for them: what
// speaks HTTP, unpacks logs and draws screens is not linked into those that serve clients.
package main

import (
	"fmt"
	"os"

	"sendwrap/wrapper/admin"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes one of the commands.
func run(args []string) int {
	commands := map[string]func([]string) int{"metrics": showMetrics, "report": report,
		"replay": replayLogs, "setup": setUp, "top": showTop}
	if len(args) > 0 && commands[args[0]] != nil {
		return commands[args[0]](args[1:])
	}
	fmt.Fprintln(os.Stderr, "sendwrap-view: started by itself; type sendwrap metrics, "+
		"report, replay, setup or top")
	return admin.ExitUsage
}

// unreadable says that there is no configuration, by the error of config.Load.
func unreadable(err error) int {
	fmt.Fprintf(os.Stderr, "sendwrap: %v\n", err)
	return admin.ExitUsage
}
