package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// family collects metrics.
type family struct{ all []prometheus.Metric }

// add adds one number. Labels are names and values in turn.
func (f *family) add(
	kind prometheus.ValueType, name, help string, value float64, labels ...string,
) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("sendwrap_"+name, help, names, nil)
	f.all = append(f.all, prometheus.MustNewConstMetric(desc, kind, value, values...))
}

func (f *family) gauge(name, help string, value float64, labels ...string) {
	f.add(prometheus.GaugeValue, name, help, value, labels...)
}

func (f *family) counter(name, help string, value uint64, labels ...string) {
	f.add(prometheus.CounterValue, name, help, float64(value), labels...)
}

// metrics are all numbers of a site.
func (s *Site) metrics(r reading) []prometheus.Metric {
	f := &family{}
	s.aboutSite(f, &r)
	aboutClients(f, &r.totals)
	s.aboutSessions(f, &r)
	aboutTrouble(f, &r.totals)
	s.aboutLists(f, &r)
	aboutSharing(f, &r.sharing)
	f.delays("spoke", r.totals.Spoke)
	f.delays("left", r.totals.Left)
	return f.all
}

func (s *Site) aboutSite(f *family, r *reading) {
	f.gauge("build_info", "1; the version is that of the program that counts this.", 1,
		"version", wrapper.Version)
	for _, mode := range []policy.Mode{policy.Enforce, policy.Observe} {
		f.gauge("mode", "1 for the mode of the configuration. The counts are of all modes.",
			number(s.Config.Mode == mode), "mode", mode.String())
	}
	f.gauge("config_readable", "0 if the configuration cannot be read as a whole.",
		number(s.Unread == nil))
	f.gauge("config_mistakes", "Wrong directives, which are skipped.", float64(s.Mistakes))
	f.gauge("ledger_usable", "0 if there is no ledger, or none that can be read.",
		number(r.usable))
	if since := r.totals.Since; !since.IsZero() {
		f.gauge("counting_since_timestamp_seconds", "When the counts began.",
			float64(since.Unix()))
	}
	f.gauge("rooms", "Processes that hold many clients.", float64(len(r.rooms)))
	for _, room := range r.rooms[:min(1, len(r.rooms))] {
		f.gauge("room_start_timestamp_seconds", "When the room began.",
			float64(room.Started.Unix()))
		if !room.Configured.IsZero() {
			f.gauge("room_configured_timestamp_seconds", "When it read its configuration.",
				float64(room.Configured.Unix()))
		}
	}
}

func aboutClients(f *family, n *ledger.Totals) {
	for _, v := range decide.Verdicts() {
		const help = "Verdicts on clients, by whether they were enforced or observed."
		observed := min(n.Observed[v].Counted, n.Verdicts[v])
		f.counter("verdicts_total", help, n.Verdicts[v]-observed,
			"verdict", v.String(), "mode", policy.Enforce.String())
		if v.Refuses() {
			f.counter("verdicts_total", help, observed,
				"verdict", v.String(), "mode", policy.Observe.String())
		}
	}
	f.counter("known_refused_total", "Clients that were known, and were refused.",
		n.Troubles[ledger.KnownRefused])
	f.counter("idle_ended_total", "Sessions that were ended while idle, to make room.", n.Idle)
}

func (s *Site) aboutSessions(f *family, r *reading) {
	limit := s.Config.MaxWaiting
	if len(r.rooms) > 0 {
		limit = s.Config.RoomWaiting
	}
	const live, most = "Live sessions.", "max_sessions and max_waiting."
	f.gauge("sessions", live, float64(r.totals.Waiting), "state", "waiting")
	f.gauge("sessions", live, float64(r.totals.Serving), "state", "serving")
	f.gauge("sessions_limit", most, float64(limit), "state", "waiting")
	f.gauge("sessions_limit", most, float64(s.Config.MaxSessions), "state", "serving")
	f.gauge("stressed", "1 while the greet delay is shortened.", number(r.totals.Stressed))

	const networks = "Networks in the ledger. One may be counted in several states."
	f.gauge("networks", networks, float64(r.totals.Clients), "state", "all")
	f.gauge("networks", networks, float64(r.networks.Known), "state", "known")
	f.gauge("networks", networks, float64(r.networks.Trusted), "state", "trusted")
	f.gauge("networks", networks, float64(r.networks.Blocked), "state", "blocked")
	f.gauge("networks_limit", "Networks for which the ledger has room.",
		float64(r.totals.Capacity))
	for _, e := range ledger.Evictions() {
		f.counter("networks_evicted_total", "Networks that made room for others, by what was lost.",
			r.totals.Evicted[e], "kind", e.String())
	}
}

// aboutTrouble says what kept clients from what the configuration says.
func aboutTrouble(f *family, n *ledger.Totals) {
	for cause, count := range map[string]uint64{
		"ledger_stopped":              n.Open[ledger.HeldByStopped],
		"ledger_held":                 n.Open[ledger.HeldTooLong],
		"ledger_crowded":              n.Open[ledger.Crowded],
		"unrecorded":                  n.Unrecorded,
		ledger.Unseen.String():        n.Troubles[ledger.Unseen],
		ledger.DNSSilent.String():     n.Troubles[ledger.DNSSilent],
		ledger.Unwritten.String():     n.Troubles[ledger.Unwritten],
		ledger.RulesUnread.String():   n.Troubles[ledger.RulesUnread],
		ledger.WideUncounted.String(): n.Troubles[ledger.WideUncounted],
	} {
		f.counter("fail_open_total",
			"Clients for which limits, memory, delay, lists or names did not count, "+
				"for our own trouble.",
			count, "cause", cause)
	}
	f.counter("log_lines_lost_total", "Clients whose line in the log is lost.",
		n.Troubles[ledger.Unlogged])
	f.counter("no_descriptor_total", "Clients that were refused, since no descriptor was free.",
		n.Troubles[ledger.NoDescriptor])
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
