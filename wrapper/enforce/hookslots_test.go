package enforce

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// counting is a hook that writes how many of it run at this moment. The first ones wait for others,
// until there were four or one has waited for half of hookTime.
const counting = `d=${0%/*}; mkdir -p $d/running; touch $d/running/$$
n=$(ls $d/running | wc -l); echo $n >>$d/counts
test $n -lt 4 || touch $d/four
i=0; until test -e $d/four || test -e $d/late; do
	i=$((i+1)); test $i -lt 25 || touch $d/late; sleep 0.2
done
sleep 0.3; rm $d/running/$$`

// Four run at a time and no more, whichever processes run them. On a slow machine the first may
// wait in vain for the fourth: then the test tries again.
func TestFourAtATime(t *testing.T) {
	for range 5 {
		if most := mostAtATime(t); most > maxHooks {
			t.Fatalf("%d ran at a time; want %d", most, maxHooks)
		} else if most == maxHooks {
			return
		}
	}
	t.Errorf("%d never ran at a time", maxHooks)
}

// mostAtATime is how many of twenty ran at a time.
func mostAtATime(t *testing.T) (most int) {
	t.Helper()
	const processes = 10
	p := inPlace(t, "")
	p.hook(counting)
	p.configure("on_block " + p.file("hook"))
	var all sync.WaitGroup
	for i := range processes {
		cmd := p.elsewhere(p.block(fmt.Sprintf("203.0.113.%d/32", 100+i), time.Hour))
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	q := p.queue()
	for i := range processes {
		q.Add(p.block(fmt.Sprintf("203.0.113.%d/32", 200+i), time.Hour))
	}
	all.Wait()
	counts := func() []string { return strings.Fields(p.content("counts")) }
	lab.Eventually(p, "all have run", func() bool { return len(counts()) == 2*processes })
	for _, word := range counts() {
		n, _ := strconv.Atoi(word)
		most = max(most, n)
	}
	return most
}

// holdSlots takes all slots.
func (p *place) holdSlots() (release func()) {
	p.Helper()
	p.open() // makes it
	var all []func()
	for range maxHooks {
		one, err := takeSlot(p.config.Ledger.Path, maxHooks, 0)
		if err != nil {
			p.Fatal(err)
		}
		all = append(all, one)
	}
	return func() {
		for _, one := range all {
			one()
		}
	}
}

// A block that gets no slot does not wait forever.
func TestNoSlot(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`touch ${0%/*}/ran`)
	defer p.holdSlots()()
	e := p.enforcer()
	e.patience = 200 * time.Millisecond
	began := time.Now()
	o := e.CarryOut(p.block("203.0.113.9/32", time.Hour))
	if took := time.Since(began); len(o.Failed) != 1 || took < e.patience {
		t.Errorf("failed %v, after %v", o.Failed, took)
	}
	const why = "was not run: 4 of them ran for more than 200ms"
	if p.logged("ONBLOCK network=203.0.113.9/32", why) != 1 {
		t.Errorf("log %q", p.said())
	}
}

// on_block does not run for a block that is over when its slot comes free: it may have run for the
// end already. For the others it gets the time that is left, whether they waited for a slot or
// behind those that did.
func TestOverBeforeItsSlot(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`echo "$2" "$4" >>${0%/*}/runs`)
	release := p.holdSlots()
	q := p.queue()
	for _, tens := range []string{"", "1"} {
		q.Add(p.block("203.0.113."+tens+"1/32", time.Hour))
		q.Add(p.block("203.0.113."+tens+"2/32", time.Hour))
		q.Add(p.block("203.0.113."+tens+"3/32", 500*time.Millisecond))
		q.Add(p.block("203.0.113."+tens+"4/32", 10*time.Minute))
		p.unblock("203.0.113." + tens + "2/32")
	}
	time.Sleep(1200 * time.Millisecond)
	release()
	lab.Eventually(p, "all is done", q.Hurry)
	runs := strings.Fields(p.content("runs"))
	for network, full := range map[string]int{
		"203.0.113.1/32": 3600, "203.0.113.4/32": 600,
		"203.0.113.11/32": 3600, "203.0.113.14/32": 600,
	} {
		at := slices.Index(runs, network) + 1
		if left, _ := strconv.Atoi(runs[at]); at == 0 || left >= full || left < full-300 {
			t.Errorf("on_block ran for %q; want %s with a little less than %d s",
				runs, network, full)
		}
	}
	if len(runs) != 2*4 {
		t.Errorf("on_block ran for %q", runs)
	}
}

// Without a ledger on_block does not run, and the log says why.
func TestSlotsUnknown(t *testing.T) {
	p := inPlace(t, "")
	p.hook(`touch ${0%/*}/ran`)
	b := p.block("203.0.113.9/32", time.Hour)
	p.config.Ledger.Path = "/nowhere/at/all/ledger"
	if err := p.enforcer().RunHook(b); !errors.Is(err, unix.ENOENT) || p.content("ran") != "" {
		t.Errorf("error %v", err)
	}
	if p.logged("ONBLOCK", "/nowhere/at/all") != 1 {
		t.Errorf("log %q", p.said())
	}
}
