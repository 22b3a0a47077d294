//go:build view

package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/top"
)

// showTop shows what happens now, on a screen or as one frame of text.
func showTop(args []string) int {
	flags := flag.NewFlagSet("top", flag.ContinueOnError)
	once := flags.Bool("once", false, "")
	file, _, status, ok := admin.Parse(flags, args, 0, 0)
	if !ok {
		return status
	}
	site, err := top.Open(file)
	if err != nil {
		return unreadable(err)
	}
	defer site.Close()
	if *once {
		return admin.Exit("top", site.WriteOnce(os.Stdout))
	}
	until, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGINT)
	defer stop()
	return admin.Exit("top", site.Show(until, act))
}

// act runs a command that changes something, by the code that the full program has for it.
func act(args ...string) (said string) {
	var out bytes.Buffer
	admin.Run(args, policy.Dir, &out, &out)
	return strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "; ")
}
