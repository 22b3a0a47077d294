package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"sendwrap/exec"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/guard"
	"sendwrap/wrapper/maillog"
)

// guardSessions watches sessions as a milter of the MTA until a signal stops it.
func guardSessions(args []string) int {
	flags := flag.NewFlagSet("guard", flag.ContinueOnError)
	file := flags.String("f", config.DefaultPath, "")
	err := admin.ParseFlags(flags, args, 0)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Println("usage: sendwrap guard [-f FILE]\n       watch the recipients of every session, as a milter for sendmail or Postfix; see sendwrap(8)")
		return admin.ExitOK
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%q is one argument too many", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap guard: %v\nusage: sendwrap guard [-f FILE]\n", err)
		return admin.ExitUsage
	}
	stdio, _ := exec.TakeStdio() // there is no client, so nothing can be wrong with what it gets
	err = guard.Run(guard.Options{
		File:  *file,
		LogTo: func(to config.LogTarget) maillog.Log { return chooseLog(to, stdio) },
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap guard: %v\n", err)
	}
	return exitStatus(err)
}
