package report

import (
	"net/netip"
	"strings"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/loglines"
)

// counter counts lines. Its memory is bounded, however many lines, clients and networks there are.
type counter struct {
	r            *Report
	origins      *Origins
	verdicts     [decide.NumVerdicts]VerdictFact
	hours        map[int64]*[decide.NumVerdicts]uint32 // by the hours since 1970
	cut          [decide.NumVerdicts]uint32            // of the hour of From, before it
	first, last  time.Time                             // of all lines, earlier ones too
	clients      clients
	addresses    frequent[netip.Prefix]
	networks     frequent[netip.Prefix]
	offenders    frequent[netip.Prefix] // networks
	byOrigin     frequent[uint32]
	kinds, lists frequent[string]
	conns, rates frequent[netip.Prefix]
	badRcpts     frequent[netip.Prefix]
	sessions     [len(lengths) + 1]int
	words, newer frequent[string]
	open         frequent[string] // causes
	delays       delays
	blocks       lastBlocks
	longest      longestWaits
	busy         places
}

// maxHours bounds the hours that are kept: two years.
const maxHours = 2 * 366 * 24

// add counts a line. Lines of the two days before the report's time are for comparison alone.
func (c *counter) add(l *loglines.Line) {
	r := c.r
	if !r.Until.IsZero() && l.Time.After(r.Until) || l.Time.Before(r.From.Add(-2*day)) {
		return
	}
	if c.first.IsZero() || l.Time.Before(c.first) {
		c.first = l.Time
	}
	if l.Time.After(c.last) {
		c.last = l.Time
	}
	v, isVerdict := loglines.VerdictOf(l.Word)
	counts := isVerdict && isWhole(l, v)
	if counts {
		c.addHour(l.Time, v)
	}
	if l.Time.Before(r.From) {
		if counts && l.Time.Unix()/3600 == r.From.Unix()/3600 {
			c.cut[v]++
		}
		return
	}
	r.Lines++
	c.addNewer(l)
	switch {
	case counts:
		c.addVerdict(l, v)
	case isVerdict:
		r.Unreadable.Garbled++
	case l.Word == "":
		if l.Level != loglines.LevelInfo && !isUsual(l.Text) {
			r.Trouble.Words++
			addText(&c.words, withoutNumbers(l.Text), 1, 0)
		}
	default:
		c.addEvent(l)
	}
}

// isWhole reports whether the line of a verdict was not cut before its client or its server, which
// only verdicts of the guard do not have.
func isWhole(l *loglines.Line, v decide.Verdict) bool {
	_, ok := l.Client()
	return ok && (l.Has("server") || v.OfGuard() || v == decide.Blocked)
}

func (c *counter) addHour(at time.Time, v decide.Verdict) {
	key := at.Unix() / 3600
	hour := c.hours[key]
	if hour == nil && len(c.hours) < maxHours {
		if c.hours == nil {
			c.hours = map[int64]*[decide.NumVerdicts]uint32{}
		}
		hour = new([decide.NumVerdicts]uint32)
		c.hours[key] = hour
	}
	if hour != nil {
		hour[v]++
	}
}

// addVerdict counts the line of a connection, or of the guard: only the former names the server.
func (c *counter) addVerdict(l *loglines.Line, v decide.Verdict) {
	client, _ := l.Client()
	atDoor, observed := l.Has("server"), l.Get("mode") == "observe"
	fact := &c.verdicts[v]
	fact.Count++
	switch {
	case !atDoor && observed:
		fact.Guard++
		fact.Noted++
	case !atDoor:
		fact.Guard++
	case observed && refusedAtDoor(v):
		fact.Observed++
		if l.Has("network") && (v == decide.Conns || v == decide.Rate) {
			fact.Wide++
		}
	}
	if l.Has("left") && v != decide.Blocked {
		c.addBlock(l, networkOf(client))
	}
	switch {
	case v == decide.Failed:
		c.r.Trouble.Failed++
		return
	case atDoor:
		c.addConnection(l, v, client, observed)
	}
	if refusedAtDoor(v) || v.OfGuard() {
		c.addRefused(l, v, client)
	}
	c.addHeard(l)
}

// addConnection counts what became of a connection.
func (c *counter) addConnection(
	l *loglines.Line, v decide.Verdict, client netip.Addr, observed bool,
) {
	r := c.r
	r.Connections++
	switch {
	case v.Served() || observed && refusedAtDoor(v):
		r.Served++
	case v == decide.Hangup:
		r.Left++
	default:
		r.Refused++
	}
	if observed && refusedAtDoor(v) {
		r.Observed++
	}
	switch {
	case v.Served():
		c.clients.served(networkOf(client), v)
	case v == decide.Busy:
		c.busy.add(l)
	}
	if l.Get("dns") == "none" {
		r.Trouble.Silent++
	}
	if cause := l.Get("open"); cause != "" {
		addText(&c.open, cause, 1, 0)
	}
	waited, delay, ok := l.DurationOf("wait")
	if ok {
		c.delays.add(v, waited, delay)
	}
	turn, _ := l.Duration("turn")
	if v.Served() && waited+turn > 0 {
		c.longest.add(Wait{client.String(), (waited + turn).Seconds(), turn.Seconds(), l.Word,
			l.Time})
	}
}

// addRefused counts a refusal by the client's address and networks.
func (c *counter) addRefused(l *loglines.Line, v decide.Verdict, client netip.Addr) {
	n := networkOf(client)
	if l.Get("sender") == "null" {
		return // bounces, which come from honest servers
	}
	c.addresses.add(n, 1, uint8(v))
	c.networks.add(wideOf(client), 1, uint8(v))
	if isOffence(v) {
		c.offenders.add(wideOf(client), 1, 0)
	}
	if c.origins != nil {
		c.byOrigin.add(c.origins.find(client), 1, uint8(v))
	}
	switch v {
	case decide.Conns, decide.Rate:
		named, ok := l.Network()
		if !ok {
			named = n
		}
		if v == decide.Conns {
			c.conns.add(named, 1, 0)
		} else {
			c.rates.add(named, 1, 0)
		}
	case decide.BadRcpts:
		c.badRcpts.add(n, max(1, l.Int("bad")), 0)
	}
	honest := l.Int("good")+l.Int("total_good") > 0
	if !v.OfGuard() && l.Get("reason") != "bad_rcpts" || honest {
		c.clients.refused(n, l, v)
	}
}

// addHeard counts what lists say, and what early bytes look like.
func (c *counter) addHeard(l *loglines.Line) {
	if kind := l.Get("kind"); kind != "" {
		addText(&c.kinds, kind, 1, 0)
	}
	for hit := range strings.SplitSeq(l.Get("lists"), ",") {
		if name, _, ok := strings.Cut(hit, ":"); ok {
			addText(&c.lists, name, 1, 0)
		}
	}
}

// addNewer counts words and keys that this version does not know.
func (c *counter) addNewer(l *loglines.Line) {
	for _, word := range l.Newer() {
		addText(&c.newer, word, 1, 0)
	}
}

// addText counts a part of a line, which is not kept for it.
func addText(t *frequent[string], key string, n int, last uint8) {
	if _, ok := t.index[key]; !ok {
		key = strings.Clone(key)
	}
	t.add(key, n, last)
}

// withoutNumbers is the same for lines in words that differ only in numbers.
func withoutNumbers(text string) string {
	const most = 72
	same := make([]byte, 0, most)
	for i := 0; i < len(text) && len(same) < most; i++ {
		switch c := text[i]; {
		case c < '0' || c > '9':
			same = append(same, c)
		case i == 0 || text[i-1] < '0' || text[i-1] > '9':
			same = append(same, 'N')
		}
	}
	return string(same)
}

// networkOf is what counts as one client: an IPv4 address, or the /64 of an IPv6 address.
func networkOf(a netip.Addr) netip.Prefix { return prefix(a, 32, 64) }

// wideOf is the /24 or /48 around it.
func wideOf(a netip.Addr) netip.Prefix { return prefix(a, 24, 48) }

func prefix(a netip.Addr, v4, v6 int) netip.Prefix {
	if a.Is4() {
		v6 = v4
	}
	p, _ := a.Prefix(v6)
	return p
}
