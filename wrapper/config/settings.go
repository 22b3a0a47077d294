package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

const (
	stressDelay  = 2 * time.Second // without stress=, or the delay itself if that is shorter
	maxTeaser    = 400             // bytes; a reply line has 512 (RFC 5321 §4.5.3.1.5)
	maxRatePer   = 24 * time.Hour
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

// off switches off a directive that has no number.
const off = "off"

func setMTA(c *Config, args []string) error {
	if err := checkAbsolute(args[0]); err != nil {
		return err
	}
	if i := slices.IndexFunc(args, daemonic); i > 0 && takesSendmailOptions(args[0]) {
		return newError("write -bs", "%s makes it a daemon, which ignores the client on its stdin",
			args[i])
	}
	c.MTA = slices.Clone(args)
	return nil
}

// daemonic reports whether an argument makes sendmail wait for clients of its own.
func daemonic(arg string) bool { return strings.HasPrefix(strings.ToLower(arg), "-bd") }

// takesSendmailOptions judges a program by its name.
func takesSendmailOptions(program string) bool {
	name := program[strings.LastIndexByte(program, '/')+1:]
	return strings.HasPrefix(name, "sendmail") || strings.HasPrefix(name, "exim")
}

func setGreetDelay(c *Config, args []string) error {
	var delay time.Duration
	if err := setDuration(&delay, args[0], 0, rule.MaxGreetDelay); err != nil {
		return err
	}
	stress := min(stressDelay, delay)
	_, err := readPair(args[1:], "stress", func(value string) error {
		return setDuration(&stress, value, 0, delay)
	})
	if err == nil {
		c.GreetDelay, c.StressDelay = delay, stress
	}
	return err
}

func setTeaser(c *Config, args []string) error {
	text := strings.Join(args, " ")
	if text == off {
		text = ""
	} else if err := checkReplyText(text, maxTeaser); err != nil {
		return err
	}
	if strings.HasPrefix(text, "220") {
		return newError("leave out 220, which sendwrap adds", "%s begins with the reply code",
			quoted(text))
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
	if n, ok := guessCount(strings.TrimRight(number, "%")); ok && n <= maxReserve {
		return newError("write "+strconv.Itoa(n)+"%", "%s is not a percentage", quoted(args[0]))
	}
	return outOfRange(args[0], "0%", strconv.Itoa(maxReserve)+"%")
}

func setMaxWaiting(c *Config, args []string) error {
	var n int
	if err := setCount(&n, args[0], 1, maxWaiting); err != nil {
		return err
	}
	room := n
	_, err := readPair(args[1:], "room", func(value string) error {
		return setCount(&room, value, 1, maxWaiting)
	})
	if err == nil {
		c.MaxWaiting, c.RoomWaiting = n, room
	}
	return err
}

// setIdle sets an idle time of at least a second; 0 is never.
func setIdle(to *time.Duration, value string) error {
	if d, err := ParseDuration(value); err == nil && d == 0 {
		*to = 0
		return nil
	}
	if meansOff(value) {
		return newError("write 0s", "%s is not a time", quoted(value))
	}
	return setDuration(to, value, time.Second, longestIdle)
}

func setRefuseLoad(c *Config, args []string) error {
	v, err := strconv.ParseFloat(args[0], 64)
	if err != nil && meansOff(args[0]) {
		return newError("write 0", "%s is not a plain number", quoted(args[0]))
	}
	if err != nil || !(v >= 0 && v <= maxLoad) { // NaN is neither
		return outOfRange(args[0], "0", strconv.Itoa(maxLoad))
	}
	c.RefuseLoad = v
	return nil
}

func setCountBy(c *Config, args []string) error {
	if len(args) != 2 {
		return newError("write both, such as 32 64", "one prefix length")
	}
	var w policy.Widths
	if err := setBits(&w.V4, args[0], minV4, maxV4); err != nil {
		return prefixError("V4BITS", err)
	}
	if err := setBits(&w.V6, args[1], minV6, maxV6); err != nil {
		return prefixError("V6BITS", err)
	}
	c.CountBy = w
	return nil
}

func setLedger(c *Config, args []string) error {
	l := policy.Ledger{Path: args[0], Clients: c.Ledger.Clients}
	if err := checkAbsolute(l.Path); err != nil {
		return err
	}
	_, err := readPair(args[1:], "clients", func(value string) error {
		return setCount(&l.Clients, value, minRecords, maxRecords)
	})
	if err == nil {
		c.Ledger = l
	}
	return err
}
