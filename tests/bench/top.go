package main

import (
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// topTarget is what the screen of `sendwrap top` may take, in percent of one processor.
const topTarget = 1

// measureTop measures what `sendwrap top` takes on a terminal, where it looks and draws as often as
// it does by itself, while the ledger has as many clients as it holds.
func measureTop(l *bench) {
	i := l.instance("top")
	full := filledLedger{path: i.ledger, clients: ledgerSize}
	check(full.fill())
	defer full.open.Close()
	period := 20 * time.Second
	if l.quick {
		period /= 5
	}
	var shares []float64
	for range l.rounds {
		check(l.late())
		shares = append(shares, must(i.topShare(period)))
	}
	r := oursAlone(fmt.Sprintf("CPU of sendwrap top: %d clients", ledgerSize), "%", median(shares))
	l.put(r.within(topTarget))
}

// topShare is the share of a processor that top takes over such a period, in percent. The first
// look does not count: it maps all pages of the ledger.
func (i *instance) topShare(period time.Duration) (percent float64, err error) {
	master, slave, err := openTerminal()
	if err != nil {
		return 0, err
	}
	defer master.Close()
	cmd := osexec.Command(i.program, "top", "-f", i.conf)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "TERM=xterm", "LANG=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return 0, err
	}
	go func() { _, _ = io.Copy(io.Discard, master) }()
	time.Sleep(period / 4) // it starts, and looks for the first time
	before, err := processorTime(cmd.Process.Pid)
	began := time.Now()
	if err == nil {
		time.Sleep(period)
	}
	took := time.Since(began)
	after, err2 := processorTime(cmd.Process.Pid)
	_ = cmd.Process.Signal(unix.SIGTERM)
	if err3 := cmd.Wait(); err == nil && err2 == nil {
		err = err3
	} else if err == nil {
		err = err2
	}
	if err == nil && after == before {
		err = fmt.Errorf("sendwrap top has done nothing for %v", took)
	}
	return 100 * float64(after-before) / float64(took), err
}

// processorTime is what a process has used so far, by its clock (clock_getcpuclockid(3)).
func processorTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts)
	return time.Duration(ts.Nano()), err
}

// openTerminal opens both ends of a new terminal of 80 columns and 24 lines (pty(7)).
func openTerminal() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	fd, n := int(master.Fd()), 0
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
	}
	return master, slave, err
}
