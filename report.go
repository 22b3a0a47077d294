//go:build view

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/loglines"
	logs "sendwrap/wrapper/report"
)

// wanted is the form of a report.
type wanted struct {
	text, html, json bool
	to               string // mail's recipient
}

// report says what the mail log comes to.
func report(args []string) int {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	since, origins := flags.String("since", "", ""), flags.String("asn", "", "")
	var w wanted
	flags.BoolVar(&w.text, "text", false, "")
	flags.BoolVar(&w.html, "html", false, "")
	flags.BoolVar(&w.json, "json", false, "")
	flags.StringVar(&w.to, "mail", "", "")
	file, names, status, ok := admin.Parse(flags, args, 0, math.MaxInt)
	if !ok {
		return status
	}
	o := logs.Options{Sources: loglines.Sources{
		Logs: names, Stdin: os.Stdin, Now: time.Now(), Zone: time.Local,
	}}
	err := w.check()
	if err == nil {
		err = setSince(&o, *since)
	}
	if err == nil {
		err = setOrigins(&o, *origins)
	}
	if err != nil {
		return admin.Exit("report", err)
	}
	progress := newProgress()
	o.Progress = progress.show
	r, err := logs.Read(o)
	progress.clear()
	if err != nil {
		return admin.Exit("report", admin.AsRoot(err))
	}
	if w.to != "" {
		return mailReport(r, w.to, file, o.Now)
	}
	return admin.Exit("report", w.write(r))
}

// check says what is wrong with a form.
func (w wanted) check() error {
	forms := 0
	for _, form := range []bool{w.text, w.html, w.json, w.to != ""} {
		if form {
			forms++
		}
	}
	if forms > 1 {
		return admin.UsageError("only one of -text, -html, -json and -mail")
	}
	if w.to == "" {
		return nil
	}
	if err := logs.CheckAddress(w.to); err != nil {
		return admin.UsageError("-mail: " + err.Error())
	}
	return nil
}

func (w wanted) write(r *logs.Report) error {
	switch {
	case w.json:
		return json.NewEncoder(os.Stdout).Encode(r)
	case w.html:
		return r.HTML(os.Stdout)
	}
	return r.Text(os.Stdout)
}

// mailReport sends a report by the MTA that the configuration names, unless nothing happened.
func mailReport(r *logs.Report, to, file string, now time.Time) int {
	if r.Quiet() {
		return admin.ExitOK
	}
	cfg, err := config.Load(file, allowlist.For())
	if cfg == nil {
		return unreadable(err)
	}
	return admin.Exit("report", r.Mail(to, cfg.MTA[0], now))
}

// dates are the forms of a date that -since takes.
var dates = [...]string{time.DateOnly, "2006-01-02 15:04", time.DateTime, time.RFC3339}

// setSince reads -since: a time before now, or a date.
func setSince(o *logs.Options, since string) error {
	if since == "" {
		return nil
	}
	if d, err := config.ParseDuration(since); err == nil {
		o.Since = o.Now.Add(-d)
		return nil
	}
	for _, form := range dates {
		if at, err := time.ParseInLocation(form, since, o.Zone); err == nil {
			if at.After(o.Now) {
				return admin.UsageError(fmt.Sprintf("-since %s has not come yet", since))
			}
			o.Since = at
			return nil
		}
	}
	return admin.UsageError(fmt.Sprintf("-since: %q is no time; write one such as 24h, 7d or %s",
		since, o.Now.Format(time.DateOnly)))
}

// setOrigins reads the file of -asn.
func setOrigins(o *logs.Options, name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if o.AS, err = logs.ReadOrigins(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// progress is a line on a terminal that says how much was read.
type progress struct {
	terminal bool
	shown    time.Time
}

func newProgress() *progress {
	_, err := unix.IoctlGetTermios(2, unix.TCGETS)
	return &progress{terminal: err == nil, shown: time.Now()}
}

func (p *progress) show(read, all int64) {
	if !p.terminal || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	if all == 0 || read > all {
		fmt.Fprintf(os.Stderr, "\rread %d MB ", read>>20)
		return
	}
	width := p.width()
	done := strings.Repeat("#", int(read*int64(width)/all))
	fmt.Fprintf(os.Stderr, "\r[%-*s] %3d %%", width, done, read*100/all)
}

// width is how long the row of # may be, so that its line fits the terminal.
func (*progress) width() int {
	const most, beside = 40, len("[] 100 %") + 1
	size, err := unix.IoctlGetWinsize(2, unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return most
	}
	return max(0, min(most, int(size.Col)-beside))
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
