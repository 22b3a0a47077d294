package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxGreetDelay is the longest greet_delay accepted. A client must allow 5 minutes for the
// first line of the greeting (RFC 5321 §4.5.3.2.1); the ten seconds left are the network's
// and the MTA's.
const MaxGreetDelay = 290 * time.Second

const (
	stressDelay  = 2 * time.Second // unless greet_delay says otherwise or is shorter
	maxTeaser    = 400             // bytes; with 220- and CRLF within a reply line (512, RFC 5321 §4.5.3.1.5)
	maxRate      = 65535           // arrivals, as the ledger counts them
	maxRatePer   = 24 * time.Hour
	maxConns     = 100_000
	maxSessions  = 100_000
	maxReserve   = 90 // percent
	maxWaiting   = 1_000_000
	maxSpawnRate = 10_000
	longestIdle  = 24 * time.Hour
	maxLoad      = 10_000
	maxRemember  = 31 * day
	minRecords   = 1024
	maxRecords   = 1 << 24
	minV4, maxV4 = 8, 32
	minV6, maxV6 = 16, 128
)

// Widths are the prefix lengths under which clients are counted: see [Config.Network].
type Widths struct{ V4, V6 int }

// String is the spelling of sendwrap.conf: "32 64".
func (w Widths) String() string { return strconv.Itoa(w.V4) + " " + strconv.Itoa(w.V6) }

// off is how what has no number is switched off.
const off = "off"

func setMTA(c *Config, args []string) error {
	if err := absolute(args[0]); err != nil {
		return err
	}
	if i := slices.IndexFunc(args, daemonic); i > 0 && takesItsOptions(args[0]) {
		return wrong("write -bs", "%s makes it a daemon, which serves no client that is given to it",
			args[i])
	}
	c.MTA = slices.Clone(args)
	return nil
}

// daemonic says whether an argument makes a sendmail wait for clients of its own.
func daemonic(arg string) bool { return strings.HasPrefix(strings.ToLower(arg), "-bd") }

// takesItsOptions says whether a program has sendmail's options, by its name.
func takesItsOptions(program string) bool {
	name := program[strings.LastIndexByte(program, '/')+1:]
	return strings.HasPrefix(name, "sendmail") || strings.HasPrefix(name, "exim")
}

var greetDelayKeys = []string{"stress"}

func setGreetDelay(c *Config, args []string) error {
	var delay time.Duration
	if err := setDuration(&delay, args[0], 0, MaxGreetDelay); err != nil {
		return err
	}
	stress := min(stressDelay, delay)
	p := pairs{known: greetDelayKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, setDuration(&stress, value, 0, delay))
		}
		if err != nil {
			return err
		}
	}
	c.GreetDelay, c.StressDelay = delay, stress
	return nil
}

func setTeaser(c *Config, args []string) error {
	text := strings.Join(args, " ")
	if text == off {
		text = ""
	} else if err := fitsReply(text, maxTeaser); err != nil {
		return err
	}
	if strings.HasPrefix(text, "220") {
		return wrong("leave out 220, it is put before the text", "%s begins with the reply code", quoted(text))
	}
	c.Teaser = text
	return nil
}

func printTeaser(c *Config) string { return textOrOff(c.Teaser) }

func setReserve(c *Config, args []string) error {
	number, found := strings.CutSuffix(args[0], "%")
	if n, err := strconv.Atoi(number); found && err == nil && 0 <= n && n <= maxReserve {
		c.Reserve = n
		return nil
	}
	if n, ok := meantCount(strings.TrimRight(number, "%")); ok && n <= maxReserve {
		return wrong("write "+strconv.Itoa(n)+"%", "%s is not a percentage", quoted(args[0]))
	}
	return outOfRange(args[0], "0%", strconv.Itoa(maxReserve)+"%")
}

var maxWaitingKeys = []string{"room"}

func setMaxWaiting(c *Config, args []string) error {
	var n int
	if err := setCount(&n, args[0], 1, maxWaiting); err != nil {
		return err
	}
	room := n
	p := pairs{known: maxWaitingKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, setCount(&room, value, 1, maxWaiting))
		}
		if err != nil {
			return err
		}
	}
	c.MaxWaiting, c.RoomWaiting = n, room
	return nil
}

// setIdle sets a time of idleness, from a second on; 0 is never.
func setIdle(to *time.Duration, value string) error {
	if d, err := ParseDuration(value); err == nil && d == 0 {
		*to = 0
		return nil
	}
	if meansNone(value) {
		return wrong("write 0s", "%s is not a time", quoted(value))
	}
	return setDuration(to, value, time.Second, longestIdle)
}

func setRefuseLoad(c *Config, args []string) error {
	v, err := strconv.ParseFloat(args[0], 64)
	if err != nil && meansNone(args[0]) {
		return wrong("write 0", "%s is not a plain number", quoted(args[0]))
	}
	if err != nil || !(v >= 0 && v <= maxLoad) { // NaN is neither
		return outOfRange(args[0], "0", strconv.Itoa(maxLoad))
	}
	c.RefuseLoad = v
	return nil
}

func setCountBy(c *Config, args []string) error {
	if len(args) != 2 {
		return wrong("write both, such as 32 64", "one prefix length")
	}
	var w Widths
	if err := setCount(&w.V4, args[0], minV4, maxV4); err != nil {
		return within("V4BITS", err)
	}
	if err := setCount(&w.V6, args[1], minV6, maxV6); err != nil {
		return within("V6BITS", err)
	}
	c.CountBy = w
	return nil
}

var ledgerKeys = []string{"clients"}

func setLedger(c *Config, args []string) error {
	l := Ledger{Path: args[0], Clients: c.Ledger.Clients}
	if err := absolute(l.Path); err != nil {
		return err
	}
	p := pairs{known: ledgerKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, setCount(&l.Clients, value, minRecords, maxRecords))
		}
		if err != nil {
			return err
		}
	}
	c.Ledger = l
	return nil
}
