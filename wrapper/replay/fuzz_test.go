package replay

import (
	"io"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// Whatever the lines say, they are replayed to the end, and each connection has one verdict of now.
// The configuration is the one that has everything to do with the lines.
func FuzzReplay(f *testing.F) {
	f.Add(handLog)
	for _, line := range strings.SplitAfter(handLog, "\n") {
		f.Add(line)
	}
	cfg := configure(f, handConf+"remember_after wait\nclient_conns 1\nmax_sessions 2\n")
	f.Fuzz(func(t *testing.T, log string) {
		tried := *cfg
		tried.Ledger.Clients = ledger.MinClients
		o := Options{Config: &tried, File: "new.conf", Session: time.Minute}
		o.Logs, o.Stdin = []string{"-"}, strings.NewReader(log)
		o.Now, o.Zone = begins.AddDate(0, 1, 0), time.UTC
		r, err := Run(o)
		if err != nil {
			return // packed, and damaged
		}
		then, now := 0, 0
		for _, v := range r.Verdicts {
			then, now = then+v.Then, now+v.Now
		}
		if then != r.Connections || now != r.Connections || r.Same > r.Connections {
			t.Errorf("%d connections, %d then, %d now, %d the same", r.Connections, then, now,
				r.Same)
		}
		if err := r.Text(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
