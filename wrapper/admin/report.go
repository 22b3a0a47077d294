package admin

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
	logs "sendwrap/wrapper/report"
)

// reportLogs says what the mail log comes to.
func reportLogs(c *call) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	since := flags.String("since", "", "")
	asText, asHTML := flags.Bool("text", false, ""), flags.Bool("html", false, "")
	asJSON := flags.Bool("json", false, "")
	origins, to := flags.String("asn", "", ""), flags.String("mail", "", "")
	if err := c.parse(flags, 0, math.MaxInt); err != nil {
		return err
	}
	forms := 0
	for _, form := range []bool{*asText, *asHTML, *asJSON, *to != ""} {
		if form {
			forms++
		}
	}
	if forms > 1 {
		return usageError("only one of -text, -html, -json and -mail")
	}
	o := logs.Options{Logs: c.args, Stdin: os.Stdin, Now: time.Now(), Zone: time.Local}
	if err := setSince(&o, *since); err != nil {
		return err
	}
	if *to != "" {
		if err := logs.CheckAddress(*to); err != nil {
			return usageError("-mail: " + err.Error())
		}
	}
	if err := setOrigins(&o, *origins); err != nil {
		return err
	}
	progress := newProgress()
	o.Progress = progress.show
	r, err := logs.Read(o)
	progress.clear()
	switch {
	case err != nil:
		return asRoot(err)
	case *to != "":
		return c.mailReport(r, *to, o.Now)
	case *asJSON:
		return json.NewEncoder(c.stdout).Encode(r)
	case *asHTML:
		return r.HTML(c.stdout)
	}
	return r.Text(c.stdout)
}

// mailReport sends a report, unless nothing happened.
func (c *call) mailReport(r *logs.Report, to string, now time.Time) error {
	if r.Quiet() {
		return nil
	}
	cfg, _, err := c.config()
	if err != nil {
		return err
	}
	return r.Mail(to, cfg.MTA[0], now)
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
				return usageError(fmt.Sprintf("-since %s has not come yet", since))
			}
			o.Since = at
			return nil
		}
	}
	return usageError(fmt.Sprintf("-since: %q is no time; write one such as 24h, 7d or %s",
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
	const width = 40
	done := strings.Repeat("#", int(read*width/all))
	fmt.Fprintf(os.Stderr, "\r[%-*s] %3d %%", width, done, read*100/all)
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
