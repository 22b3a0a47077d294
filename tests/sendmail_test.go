package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

const (
	realSendmail = "/usr/sbin/sendmail"
	sendmailCF   = "/usr/share/sendmail/cf/m4/cf.m4"
)

// sendmailsite
//
// Makes a real sendmail's site in $WORK/site: site/sendmail.cf from sendmail.mc, a queue, aliases that deliver alice's mail into the
// file site/alice. Nothing of it is the system's.
func cmdSendmailSite(ts *testscript.TestScript, neg bool, args []string) {
	s := scriptOf(ts)
	for _, file := range []string{realSendmail, sendmailCF} {
		if _, err := os.Stat(file); err != nil {
			s.need(err.Error())
		}
	}
	site := filepath.Join(ts.Getenv("WORK"), "site")
	ts.Check(os.Mkdir(site, 0o755))
	ts.Check(os.Mkdir(filepath.Join(site, "mqueue"), 0o700))
	for name, text := range map[string]string{
		"aliases":        "postmaster: /dev/null\nMAILER-DAEMON: /dev/null\nalice: " + site + "/alice\n",
		"service.switch": "hosts files\naliases files\n",
		"alice":          "",
	} {
		ts.Check(os.WriteFile(filepath.Join(site, name), []byte(text), 0o600))
	}
	ts.Check(os.Chown(filepath.Join(site, "alice"), 1, 1)) // sendmail's default user
	mc, err := os.ReadFile("sendmail.mc")
	ts.Check(err)
	m4 := exec.Command("m4")
	m4.Stdin = strings.NewReader(strings.ReplaceAll(string(mc), "SITE", site))
	cf, err := m4.Output()
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(site, "sendmail.cf"), cf, 0o644))
	s.run(ts, false, []string{realSendmail, "-C", filepath.Join(site, "sendmail.cf"), "-bi"}) // newaliases
}

// faster NAME to ADDRESS than ADDRESS by FACTOR
//
// Plays the dialogue 20 times with each of the two servers in turn; the best time with the first must be FACTOR times shorter. (What
// the machine does beside makes any time longer, and none shorter.)
func cmdFaster(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 7 || args[1] != "to" || args[3] != "than" || args[5] != "by" {
		ts.Fatalf("usage: faster NAME to ADDRESS than ADDRESS by FACTOR")
	}
	factor, err := strconv.ParseFloat(args[6], 64)
	ts.Check(err)
	d, err := parseDialogue(args[0], ts.ReadFile(args[0]))
	ts.Check(err)
	scriptOf(ts).fresh(ts)
	const rounds = 20
	best := [2]time.Duration{time.Hour, time.Hour}
	for range rounds {
		for i, to := range []string{args[2], args[4]} {
			t, err := dial(d, ts.Getenv("CLIENT"), to)
			ts.Check(err)
			ts.Check(t.play())
			best[i] = min(best[i], time.Since(t.start))
		}
	}
	fast, slow := best[0], best[1]
	fmt.Fprintf(ts.Stdout(), "%v instead of %v\n", fast, slow)
	if float64(slow) < factor*float64(fast) {
		ts.Fatalf("%v is not %v times faster than %v", fast, factor, slow)
	}
}
