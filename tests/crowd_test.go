package tests

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// reply matches the reply code and the enhanced status code of a reply.
var reply = regexp.MustCompile(`^(\d{3})[ -](?:(\d\.\d+\.\d+) )?`)

// clients N FILE [from ADDRESS|NETWORK[*TIMES]] [to ADDRESS[,ADDRESS]…] [as NAME]
//
// Plays the dialogue N times at once; from a NETWORK each client has its own address, or TIMES
// clients have the same; of several servers they take one after the other. At `hold` each waits for
// all others, or, with a NAME, until that is released. Prints a tally of the first line that each
// saw: `5 220`, `195 421 4.7.0`, `3 nothing`.
func cmdClients(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: clients N FILE [from ADDRESS|NETWORK] [to ADDRESS[,ADDRESS]…] [as NAME]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	d, err := parseDialogue(args[1], ts.ReadFile(args[1]))
	ts.Check(err)
	from, to, name := ends(ts, args[2:])
	addrs, err := addresses(from, n)
	ts.Check(err)
	servers := strings.Split(to, ",")
	s := scriptOf(ts)
	s.fresh(ts)

	var start, arrived, done sync.WaitGroup
	start.Add(1)
	arrived.Add(n)
	talks, errs := make([]*talk, n), make([]error, n)
	h := &holder{release: make(chan struct{}), result: make(chan error, 1), crowd: talks}
	for i := range n {
		done.Go(func() {
			arrive := sync.OnceFunc(arrived.Done)
			defer arrive()
			start.Wait()
			for busy := true; busy; {
				talks[i], errs[i] = dial(d, addrs[i], servers[i%len(servers)])
				if errs[i] != nil {
					return
				}
				talks[i].hold = func() {
					arrive()
					arrived.Wait()
					if name != "" {
						<-h.release
					}
				}
				errs[i] = talks[i].play()
				busy = d.retries && strings.HasPrefix(talks[i].first, "421 4.3.2")
			}
		})
	}
	start.Done()
	arrived.Wait()
	if name == "" {
		done.Wait()
		ts.Check(failed(errs))
	} else {
		go func() {
			done.Wait()
			h.result <- failed(errs)
		}()
		s.holders[name] = h
	}
	for _, line := range tally(talks) {
		fmt.Fprintln(ts.Stdout(), line)
	}
}

// failed is the first error of many clients.
func failed(errs []error) error {
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("client %d of %d: %w", i+1, len(errs), err)
		}
	}
	return nil
}

// tally counts what clients saw first.
func tally(talks []*talk) (lines []string) {
	count := map[string]int{}
	for _, t := range talks {
		if t == nil {
			count["not connected"]++
			continue
		}
		kind := cmp.Or(t.first, "nothing")
		if m := reply.FindStringSubmatch(t.first); m != nil {
			kind = m[1]
			if m[2] != "" {
				kind += " " + m[2]
			}
		}
		count[kind]++
	}
	for kind, n := range count {
		lines = append(lines, fmt.Sprint(n, " ", kind))
	}
	slices.Sort(lines)
	return lines
}

// addresses returns n addresses: the same one, or the first of a network, each once or as often as
// is written behind it.
func addresses(from string, n int) ([]string, error) {
	from, often, repeated := strings.Cut(from, "*")
	times := 1
	if repeated {
		var err error
		if times, err = strconv.Atoi(often); err != nil || times < 1 {
			return nil, fmt.Errorf("%s*%s: how often?", from, often)
		}
	}
	var next func(netip.Addr) netip.Addr
	addr, err := netip.ParseAddr(from)
	if err == nil {
		next = func(a netip.Addr) netip.Addr { return a }
	} else {
		prefix, err := netip.ParsePrefix(from)
		if err != nil {
			return nil, err
		}
		addr, next = prefix.Addr().Next(), netip.Addr.Next
	}
	list := make([]string, n)
	for i := range list {
		list[i] = addr.String()
		if (i+1)%times == 0 {
			addr = next(addr)
		}
	}
	return list, nil
}
