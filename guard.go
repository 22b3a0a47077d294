//go:build !door && !view && !share

package main

import (
	"flag"
	"fmt"
	"os"

	"sendwrap/exec"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/guard"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// guardSessions watches sessions as a milter of the MTA until a signal stops it.
func guardSessions(args []string) int {
	file, _, status, ok := admin.Parse(flag.NewFlagSet("guard", flag.ContinueOnError), args, 0, 0)
	if !ok {
		return status
	}
	exec.SetName(exec.GuardName)
	stdio, _ := exec.TakeStdio() // there is no client, so nothing can be wrong with what it gets
	err := guard.Run(guard.Options{
		File:  file,
		LogTo: func(to policy.LogTarget) maillog.Log { return chooseLog(to, stdio) },
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap guard: %v\n", err)
	}
	return exitStatus(err)
}
