//go:build view

package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sendwrap/allowlist"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/setup"
)

// packaging has what starters of sendwrap are given.
//
//go:embed packaging/xinetd/sendwrap packaging/sendwrap.socket packaging/sendwrap@.service
var packaging embed.FS

// setUp says how to put sendwrap in front of the MTA, does it, or takes it back.
func setUp(args []string) int {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	do, undo := flags.Bool("do", false, ""), flags.Bool("undo", false, "")
	file, _, status, ok := admin.Parse(flags, args, 0, 0)
	if !ok {
		return status
	}
	err := checkSetup(file, *do && *undo)
	if err != nil {
		return admin.Exit("setup", err)
	}
	dir := config.SetupDir()
	if *undo {
		if err := setup.Undo(dir, os.Stdout); err != nil {
			return admin.Exit("setup", err)
		}
		fmt.Println("Sendwrap no longer stands in front of the MTA.")
		return admin.ExitOK
	}
	if err := setup.Started(dir); err != nil {
		return admin.Exit("setup", err)
	}
	cfg, err := config.Load(file, allowlist.All())
	if cfg == nil {
		return unreadable(err)
	} else if err != nil {
		return admin.Exit("setup", fmt.Errorf("%w\nrepair that first; see sendwrap check", err))
	}
	plan, err := makePlan(cfg)
	switch {
	case err != nil:
	case *do:
		if err = plan.Do(dir, os.Stdout); err == nil {
			fmt.Println("Sendwrap stands in front of the MTA, and refuses nobody: " +
				"mode observe.\nNow type sendwrap check. sendwrap setup -undo takes all back.")
		}
	default:
		plan.Print(os.Stdout)
		fmt.Println("\nsendwrap setup -do does this, and sendwrap setup -undo takes it back.")
	}
	return admin.Exit("setup", err)
}

func checkSetup(file string, both bool) error {
	switch {
	case both:
		return admin.UsageError("only one of -do and -undo")
	case file != config.DefaultPath:
		return admin.UsageError("setup is for " + config.DefaultPath +
			"; where another file is to hold, write the super-server's line yourself")
	case os.Geteuid() != 0:
		return errors.New("only root sees which program has port 25; try as root")
	}
	return nil
}

func makePlan(cfg *config.Config) (*setup.Plan, error) {
	program, err := findDoor()
	if err != nil {
		return nil, err
	}
	site, err := setup.Look(cfg, program, packaging)
	if err != nil {
		return nil, err
	}
	return site.Plan()
}

// findDoor is the sendwrap that a super-server is to start: in PREFIX/sbin if this program is in
// PREFIX/libexec/sendwrap, or else in PATH. Nobody but root may be able to replace it: root will
// run it for each client.
func findDoor() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	door, err := exec.LookPath(filepath.Join(filepath.Dir(own), "../../sbin/sendwrap"))
	if err != nil {
		door, err = exec.LookPath("sendwrap")
	}
	if err != nil {
		return "", fmt.Errorf("%w; make install puts it into /usr/local/sbin", err)
	}
	if door, err = filepath.Abs(door); err != nil {
		return "", err
	}
	return door, fileaccess.CheckPath(door)
}
