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

const (
	enoughSpoke = 50 // clients, before there is advice
	wanted      = 97 // percent of them, to be caught
)

// advice says which greet delay the clients that spoke suggest, "" if too few did.
func advice(spoke []uint64, delay time.Duration) string {
	var sum, n uint64
	for _, c := range spoke {
		sum += c
	}
	if sum < enoughSpoke {
		return ""
	}
	var by time.Duration
	for i, c := range spoke {
		if n += c; n*100 >= sum*wanted {
			by = ledger.DelayStep(i + 1)
			break
		}
	}
	shorter := by.Truncate(time.Second)
	if shorter < by {
		shorter += time.Second
	}
	switch {
	case by > delay*4/5:
		return fmt.Sprintf("many spoke near the end of %s, and more may speak later; "+
			"a longer one in mode observe shows how many", decide.Seconds(delay))
	case shorter >= delay:
		return fmt.Sprintf("%s is right: %d %% of those that spoke did so by %v",
			decide.Seconds(delay), wanted, by)
	}
	return fmt.Sprintf("%s would catch %d %% of those that spoke within %s",
		decide.Seconds(shorter), wanted, decide.Seconds(delay))
}
