package metrics

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// newSite is a site with these lines of configuration, and its ledger.
func newSite(t *testing.T, lines string) (*Site, *ledger.Handle) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, file := filepath.Join(dir, "ledger"), filepath.Join(dir, "sendwrap.conf")
	text := "mta /bin/true\nledger " + path + " clients=1024\n" + lines
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &ledger.Handle{Options: ledger.Options{Path: path, Clients: 1024}}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		_ = h.Close()
	})
	return s, h
}

func text(t *testing.T, s *Site) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// value is that of a series, as text; "" if there is none.
func value(text, series string) string {
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// The numbers are those of the ledger and of the configuration.
func TestNumbers(t *testing.T) {
	s, h := newSite(t, "mode observe\nmax_sessions 77\nmax_waiting 55 room=66\n"+
		"dnsbl list.example as=one\n"+strings.Repeat("nonsense\n", 8))
	network := func(n byte) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 32)
	}
	if err := h.Run(func(tx *ledger.Tx) {
		tx.Count(9)
		for range 3 {
			tx.CountFor(network(1), ledger.Event{Verdict: 9, Observed: true})
		}
		tx.Spoke(50 * time.Millisecond)
		tx.Spoke(2500 * time.Millisecond)
		tx.Spoke(time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	if err := h.Run(func(tx *ledger.Tx) {
		tx.Remember(network(1), time.Hour)
		tx.Remember(network(2), time.Hour)
		for n := range byte(3) {
			tx.Block(network(3+n), time.Hour, "test", ledger.Penalty{})
		}
		for n := range byte(5) {
			one, _ := tx.Enter(ledger.Arrival{Client: netip.AddrPortFrom(network(1).Addr(), 1),
				Network: network(1)}, ledger.Self())
			if n > 0 {
				tx.Serve(one)
			}
		}
		tx.SetListAside("list.example", "lists-all", time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	if err := h.Run(func(tx *ledger.Tx) {
		tx.Share("mx1", 1)
		tx.NoteConnected(true)
		tx.NotePosition([2]uint64{1, 2}, 1500*time.Millisecond)
		tx.NoteRefused()
		tx.From("mx2")
		tx.CountOrigin(true)
	}); err != nil {
		t.Fatal(err)
	}
	for c := range ledger.Troubles() {
		h.CountTrouble(ledger.Trouble(c), 10+c)
	}
	h.CountFailOpen(ledger.ErrCrowded)
	h.RegisterRoom(ledger.Self(), "1.0")
	h.Ledger.NoteConfigured(ledger.Self(), time.Unix(1e9, 0))
	all := text(t, s)
	for series, want := range map[string]string{
		`sendwrap_verdicts_total{mode="enforce",verdict="PREGREET"}`: "1",
		`sendwrap_verdicts_total{mode="observe",verdict="PREGREET"}`: "3",
		`sendwrap_verdicts_total{mode="observe",verdict="RATE"}`:     "0",
		`sendwrap_rooms`: "1",
		`sendwrap_room_configured_timestamp_seconds`:             "1e+09",
		`sendwrap_mode{mode="observe"}`:                          "1",
		`sendwrap_mode{mode="enforce"}`:                          "0",
		`sendwrap_config_mistakes`:                               "8",
		`sendwrap_sessions_limit{state="serving"}`:               "77",
		`sendwrap_sessions_limit{state="waiting"}`:               "66",
		`sendwrap_sessions{state="waiting"}`:                     "1",
		`sendwrap_sessions{state="serving"}`:                     "4",
		`sendwrap_networks{state="all"}`:                         "5",
		`sendwrap_networks{state="known"}`:                       "2",
		`sendwrap_networks{state="trusted"}`:                     "0",
		`sendwrap_networks{state="blocked"}`:                     "3",
		`sendwrap_networks_evicted_total{kind="known"}`:          "0",
		`sendwrap_list_set_aside{list="one"}`:                    "1",
		`sendwrap_ledger_usable`:                                 "1",
		`sendwrap_networks_limit`:                                "1024",
		`sendwrap_delay_seconds_bucket{event="spoke",le="0.1"}`:  "1",
		`sendwrap_delay_seconds_bucket{event="spoke",le="2"}`:    "1",
		`sendwrap_delay_seconds_bucket{event="spoke",le="3"}`:    "2",
		`sendwrap_delay_seconds_bucket{event="spoke",le="300"}`:  "2",
		`sendwrap_delay_seconds_bucket{event="spoke",le="+Inf"}`: "3",
		`sendwrap_fail_open_total{cause="unseen"}`:               "10",
		`sendwrap_fail_open_total{cause="dns_silent"}`:           "11",
		`sendwrap_fail_open_total{cause="unwritten"}`:            "12",
		`sendwrap_no_descriptor_total`:                           "13",
		`sendwrap_log_lines_lost_total`:                          "14",
		`sendwrap_known_refused_total`:                           "15",
		`sendwrap_fail_open_total{cause="rules_unread"}`:         "16",
		`sendwrap_fail_open_total{cause="wide_uncounted"}`:       "17",
		`sendwrap_fail_open_total{cause="ledger_crowded"}`:       "1",
		`sendwrap_share_connected`:                               "1",
		`sendwrap_share_lag_seconds`:                             "1.5",

		`sendwrap_share_events_total{machine="mx2",result="applied"}`: "1",
		`sendwrap_share_events_total{machine="",result="refused"}`:    "1",
	} {
		if got := value(all, series); got != want {
			t.Errorf("%s is %q; want %q", series, got, want)
		}
	}
}

// served serves the site, and returns where.
func served(t *testing.T, s *Site) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	until, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(until, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A scrape takes no lock: it is answered while another process holds the ledger.
func TestScrapeTakesNoLock(t *testing.T) {
	s, h := newSite(t, "")
	at := served(t, s)
	if err := h.Run(func(tx *ledger.Tx) {
		answer, err := http.Get("http://" + at + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		all, err := io.ReadAll(answer.Body)
		if got := value(string(all), "sendwrap_ledger_usable"); got != "1" || err != nil {
			t.Errorf("ledger_usable is %q, %v", got, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// Connections that only sit there are bounded, and end: a scrape behind them is answered before
// Prometheus gives up.
func TestSlowScrapers(t *testing.T) {
	s, _ := newSite(t, "")
	at := served(t, s)
	const scrapeTimeout = 10 * time.Second // of Prometheus, by default
	client := http.Client{Timeout: scrapeTimeout}
	lab.Eventually(t, "the scrape is in time", func() bool {
		for range 3 * maxConnections {
			c, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := client.Get("http://" + at + "/metrics")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !answer.Close {
			t.Errorf("%v; may the client stay? %v", answer.Status, !answer.Close)
		}
		return true
	})
	client.Timeout = lab.Patience
	for path, want := range map[string]int{"/": 404, "/debug/pprof/": 404} {
		answer, err := client.Get("http://" + at + path)
		if err != nil || answer.StatusCode != want {
			t.Errorf("%s: %v, %v", path, answer, err)
		}
	}
}

// Without a configuration there are no metrics. If it goes away later, they say so.
func TestUnreadable(t *testing.T) {
	if _, err := Open("/nonexistent"); err == nil {
		t.Error("there are metrics of nothing")
	}
	s, _ := newSite(t, "max_sessions 77\n")
	s.Unread = os.ErrNotExist
	all := text(t, s)
	if value(all, "sendwrap_config_readable") != "0" ||
		value(all, `sendwrap_sessions_limit{state="serving"}`) != "77" {
		t.Error(all)
	}
}
