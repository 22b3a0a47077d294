package admin

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"sendwrap/wrapper/policy"
)

// networkReport is a network under which clients are counted, with its live sessions.
type networkReport struct {
	Network netip.Prefix `json:"network"`
	Waiting int          `json:"waiting"`
	Serving int          `json:"serving"`
}

func (n *networkReport) sessions() int { return n.Waiting + n.Serving }

// addNetworks sums up the live sessions by network.
func (r *report) addNetworks(p *policy.Policy) {
	at := map[netip.Prefix]int{}
	for _, s := range r.Live {
		network := p.Network(s.Client.Addr())
		i, found := at[network]
		if !found {
			i = len(r.Networks)
			at[network] = i
			r.Networks = append(r.Networks, networkReport{Network: network})
		}
		if s.State == serving {
			r.Networks[i].Serving++
		} else {
			r.Networks[i].Waiting++
		}
	}
	slices.SortStableFunc(r.Networks, func(a, b networkReport) int {
		return cmp.Or(cmp.Compare(b.sessions(), a.sessions()),
			comparePrefixes(a.Network, b.Network))
	})
}

// maxNetworks is how many networks the text shows.
const maxNetworks = 10

// printNetworks lists the networks with most sessions, if any has several.
func (r *report) printNetworks(w io.Writer) {
	for i := range r.Networks {
		n := &r.Networks[i]
		if i == maxNetworks || n.sessions() < 2 {
			break
		}
		if i == 0 {
			fmt.Fprintf(w, "\nlive networks\twaiting\tserving\n")
		}
		fmt.Fprintf(w, "  %v\t%d\t%d\n", n.Network, n.Waiting, n.Serving)
	}
}
