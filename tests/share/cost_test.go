package share

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// BenchmarkCost measures what machines cost the engine: idle ones a second, and those with 1,000
// events a second each for an event, as recipients are. Nothing of it depends on how long it takes.
func BenchmarkCost(b *testing.B) {
	for _, machines := range []int{2, 10} {
		b.Run(fmt.Sprint(machines), func(b *testing.B) {
			e := startEngine(b, redis)
			var all []*machine
			for n := range machines {
				m := newMachine(b, e, fmt.Sprint("mx", n), quick)
				m.startShare()
				m.waitLogged(back, 1)
				all = append(all, m)
			}
			const idle, busy = 20 * time.Second, 2 * time.Second
			e.do("config", "resetstat")
			time.Sleep(idle)
			resting := float64(e.number("stats", "total_commands_processed")) / idle.Seconds()

			for b.Loop() {
				cpu := e.cpu()
				e.do("config", "resetstat")
				done := make(chan error)
				for _, m := range all {
					go func() { done <- m.events(1000, busy) }()
				}
				for range all {
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				}
				events := 1000 * int(busy.Seconds())
				for _, m := range all {
					lab.Eventually(b, "all have heard of all", func() bool {
						applied := 0
						for _, other := range m.sharing().Machines {
							applied += other.Applied
						}
						return applied == events*(machines-1)
					})
				}
				sum := float64(events * machines)
				b.ReportMetric(float64(e.number("stats", "total_commands_processed"))/sum,
					"commands/event")
				b.ReportMetric(float64(e.number("stats", "total_net_output_bytes"))/sum, "B/event")
				b.ReportMetric((e.cpu()-cpu)*1e6/sum, "µs-CPU/event")
			}
			b.ReportMetric(resting/float64(machines), "idle-commands/s/machine")
		})
	}
}

// events has so many bad recipients a second in a machine's ledger, for that time.
func (m *machine) events(rate int, d time.Duration) error {
	l := ledger.Handle{Options: ledger.Options{Path: m.file("state/ledger"), Clients: 1024}}
	if err := l.Open(); err != nil {
		return err
	}
	defer l.Close()
	const every = 50 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for sent := 0; sent < rate*int(d)/int(time.Second); {
		<-tick.C
		for range rate * int(every) / int(time.Second) {
			sent++
			network := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, 1, byte(sent)}), 32)
			err := l.Run(func(t *ledger.Tx) { t.BadRcpt(network, time.Hour) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// cpu is how many seconds the engine has worked.
func (e *engine) cpu() (seconds float64) {
	e.t.Helper()
	for _, name := range []string{"used_cpu_sys", "used_cpu_user"} {
		var s float64
		_, err := fmt.Sscan(e.info("cpu", name), &s)
		if err != nil {
			e.t.Fatal(err)
		}
		seconds += s
	}
	return seconds
}
