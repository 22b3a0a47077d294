package metrics

// maxLists is how many lists have series of their own. The others are summed up, so that there are
// fewer than 200 series.
const maxLists, others = 16, "(others)"

// aboutLists has the lists of DNS by name, never by zone, which may hold a key.
func (s *Site) aboutLists(f *family, r *reading) {
	type sums struct {
		name                  string
		asked, listed, failed uint64
		aside                 int
	}
	var all []sums
	for i, l := range r.lists {
		if i <= maxLists {
			all = append(all, sums{name: s.Config.Lists[i].Name})
		}
		if i >= maxLists {
			all[maxLists].name = others
		}
		one := &all[len(all)-1]
		one.asked += l.Asked
		one.listed += l.Listed
		one.failed += l.Failed
		if l.Aside > 0 {
			one.aside++
		}
	}
	for _, l := range all {
		f.counter("list_asked_total", "Addresses about which a list was asked.", l.asked,
			"list", l.name)
		f.counter("list_listed_total", "Addresses that it has.", l.listed, "list", l.name)
		f.counter("list_failed_total", "Addresses about which it did not answer.", l.failed,
			"list", l.name)
		f.gauge("list_set_aside", "1 while the list is not asked, since it does not behave.",
			float64(l.aside), "list", l.name)
	}
	f.gauge("lookups", "Addresses of which is kept what DNS has said.", float64(r.lookups.kept))
	f.gauge("lookups_limit", "Addresses for which there is room.", float64(r.lookups.limit))
}
