//go:build view

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/replay"
)

// usualSession is how long a session lasts of which the log does not say so.
const usualSession = "1m"

// replayLogs says what another configuration would have decided about the clients of a log.
func replayLogs(args []string) int {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	asJSON, inRoom := flags.Bool("json", false, ""), flags.Bool("room", false, "")
	session := flags.String("session", usualSession, "")
	file, names, status, ok := admin.Parse(flags, args, 0, math.MaxInt)
	if !ok {
		return status
	}
	lasts, err := config.ParseDuration(*session)
	if err != nil || lasts <= 0 {
		return admin.Exit("replay", admin.UsageError(fmt.Sprintf(
			"-session: %q is no time; write one such as 30s or 5m", *session)))
	}
	cfg, err := config.Load(file, allowlist.All())
	if cfg == nil {
		return unreadable(err)
	}
	if mistakes := config.LogLines(err, ""); len(mistakes) > 0 {
		for _, mistake := range mistakes {
			fmt.Fprintln(os.Stderr, mistake)
		}
		return admin.ExitUsage
	}
	progress := newProgress()
	result, err := replay.Run(replay.Options{
		Sources: loglines.Sources{
			Logs: names, Stdin: os.Stdin, Now: time.Now(), Zone: time.Local,
			Progress: progress.show,
		},
		Config: cfg, File: file, Room: *inRoom, Session: lasts,
	})
	progress.clear()
	if err != nil {
		return admin.Exit("replay", admin.AsRoot(err))
	}
	if *asJSON {
		return admin.Exit("replay", json.NewEncoder(os.Stdout).Encode(result))
	}
	return admin.Exit("replay", result.Text(os.Stdout))
}
