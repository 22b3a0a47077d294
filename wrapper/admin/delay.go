package admin

import (
	"fmt"
	"io"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// printDelay says by when half, most and nearly all of the clients had spoken or left. This helps
// to choose a greet delay.
func printDelay(w io.Writer, what string, cells []uint64) {
	var sum uint64
	for _, n := range cells {
		sum += n
	}
	if sum == 0 {
		return
	}
	fmt.Fprintf(w, "  %s within the delay\t%d", what, sum)
	separator := ": "
	for _, percent := range []uint64{50, 90, 99} {
		var n uint64
		for i := range cells {
			if n += cells[i]; n*100 >= sum*percent {
				fmt.Fprintf(w, "%s%d %% by %v", separator, percent, ledger.DelayStep(i+1))
				separator = ", "
				break
			}
		}
	}
	fmt.Fprintln(w)
}

// delayAdvice says which greet delay the clients suggest that spoke or left within the one that is
// configured; "" if there are none.
func (r *report) delayAdvice(delay time.Duration) string {
	early := func(by time.Duration) (n int) {
		for _, cells := range [][]uint64{r.Delay.Spoke, r.Delay.Left} {
			for i, count := range cells {
				if ledger.DelayStep(i+1) <= by {
					n += int(count)
				}
			}
		}
		return n
	}
	if early(delay) == 0 {
		return ""
	}
	_, why := decide.AdviseDelay(early, delay, delay)
	return why
}
