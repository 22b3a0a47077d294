//go:build !door && !view && !share

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/share"
)

// courierName is the share program, which is installed beside the full one.
const courierName = "sendwrap-share"

// shareWithOthers tells other machines what happens here, and hears what happens there, until a
// signal stops it.
func shareWithOthers(args []string) int {
	flags := flag.NewFlagSet("share", flag.ContinueOnError)
	check := flags.Bool("check", false, "")
	file, _, status, ok := admin.Parse(flags, args, 0, 0)
	if !ok {
		return status
	}
	own, err := os.Executable()
	if err != nil {
		return admin.Exit("share", err)
	}
	o := share.Options{File: file, Version: wrapper.Version,
		Courier: filepath.Join(filepath.Dir(own), courierName)}
	if _, err := os.Stat(o.Courier); err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap share: %v; install that program, too: make install, or "+
			"go build -tags=share -o it\n", err)
		return admin.ExitTemporary
	}
	if *check {
		return checkSharing(o)
	}
	stdio, _ := exec.TakeStdio() // there is no client, so nothing can be wrong with what it gets
	o.LogTo = func(to policy.LogTarget) maillog.Log { return chooseLog(to, stdio) }
	if err = share.Run(o); err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap share: %v\n", err)
	}
	return exitStatus(err)
}

// checkSharing says how it stands with the engine and with the other machines.
func checkSharing(o share.Options) int {
	cfg, err := config.Load(o.File, allowlist.For())
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap: %v\n", err)
	}
	if cfg == nil || err != nil && len(cfg.Share.Engines) == 0 {
		return admin.ExitUsage
	}
	lines, ok, err := share.Check(o, cfg)
	for _, line := range lines {
		fmt.Println(line)
	}
	if err == nil && !ok {
		return admin.ExitTemporary
	}
	return admin.Exit("share", err)
}
