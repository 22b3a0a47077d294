package admin

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"sendwrap/exec"
	"sendwrap/wrapper/try"
)

// tryIt shows sendwrap at work on loopback.
func tryIt(c *call) error {
	flags := flag.NewFlagSet("try", flag.ContinueOnError)
	address := flags.String("listen", "", "")
	inRoom := flags.Bool("room", false, "")
	slow := flags.Bool("slow", false, "")
	standIn := flags.Bool("mta", false, "")
	c.file = "" // the default file means the machine's own mail: try it only if it is named
	if err := c.parse(flags, 0, 0); err != nil {
		return err
	}
	if *standIn {
		try.StandIn(c.file)
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	o := try.Options{
		Program: program, File: c.file, Room: *inRoom, Slow: *slow, Out: c.stdout, Log: os.Stderr,
		Status: func(file string) error {
			return status(&call{args: []string{"-f", file}, stdout: c.stdout, stderr: c.stderr})
		},
	}
	if c.file != "" {
		if o.Config, o.Errors, err = c.config(); err != nil {
			return err
		}
		// A show with another MTA would prove nothing about this one.
		if why := checkProgram("mta", o.Config.MTA[0], exec.CheckProgram); why != nil {
			fmt.Fprintf(c.stderr, "%s: mta: %v\n", o.Config.Place("mta"), why)
			return errReported
		}
	}
	if *address != "" {
		at, aerr := try.Address(*address)
		if aerr != nil {
			return UsageError(aerr.Error())
		}
		err = try.Listen(o, at)
	} else {
		err = try.Run(o)
	}
	if errors.Is(err, try.ErrUnexpected) || err == nil && o.Errors > 0 {
		return errReported
	}
	return err
}
