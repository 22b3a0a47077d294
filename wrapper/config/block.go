package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxStrikes = 8 // as many as the ledger keeps the times of
	maxWithin  = 24 * time.Hour
	maxBlock   = 31 * day
	maxGrace   = time.Minute
	maxEntries = 1_000_000
)

// Block says when strikes make a block, and how long any block lasts: For the first time,
// then twice as long each time, up to Max. Strikes 0 is never, for what the guard sees neither; the
// rest holds all the same, for blocks that an administrator begins.
type Block struct {
	Strikes    int
	Within     time.Duration
	For        time.Duration
	Max        time.Duration
	Kill       bool          // live sessions of the network end
	Grace      time.Duration // so long after the block began
	MaxEntries int           // blocks at once; the oldest go first
}

// String is the spelling of sendwrap.conf: "strikes=3 within=10m for=1h …", and with "off" in
// place of the first two where strikes make no block.
func (b Block) String() string {
	first := off
	if b.Strikes > 0 {
		first = "strikes=" + strconv.Itoa(b.Strikes) + " within=" + FormatDuration(b.Within)
	}
	return first + " for=" + FormatDuration(b.For) + " max=" + FormatDuration(b.Max) + " kill=" + onOff(b.Kill) +
		" grace=" + FormatDuration(b.Grace) + " max_entries=" + strconv.Itoa(b.MaxEntries)
}

var blockKeys = []string{"strikes", "within", "for", "max", "kill", "grace", "max_entries"}

func setBlock(c *Config, args []string) error {
	b := c.Block
	none := args[0] == off
	if none {
		args = args[1:]
		b.Strikes = 0
	} else if len(args) == 1 && (args[0] == "0" || meansNone(args[0])) {
		return wrong("write off", "%s is not KEY=VALUE", quoted(args[0]))
	} else if keyed := keyed(args); keyed != nil && setBlock(&Config{Block: b}, keyed) == nil {
		return wrong("write "+strings.Join(keyed, " "), "%s is not KEY=VALUE", quoted(args[0]))
	}
	p := pairs{known: blockKeys}
	for _, arg := range args {
		key, value, err := p.split(arg)
		if err != nil {
			return err
		}
		if none && (key == "strikes" || key == "within") {
			return wrong("leave out one of the two", "%s and off", key)
		}
		if err := b.set(key, value); err != nil {
			return within(key, err)
		}
	}
	if b.For > b.Max {
		first, most := FormatDuration(b.For), FormatDuration(b.Max)
		return wrong("write max="+first+" or a shorter for", "for=%s is longer than max=%s", first, most)
	}
	c.Block = b
	return nil
}

// keyed are values without keys, with the keys in whose order they probably are; nil if there are
// too many of them, or keys.
func keyed(args []string) (all []string) {
	if len(args) > len(blockKeys) || strings.Contains(strings.Join(args, ""), "=") {
		return nil
	}
	for i, arg := range args {
		all = append(all, blockKeys[i]+"="+arg)
	}
	return all
}

// set sets what one of blockKeys stands for.
func (b *Block) set(key, value string) error {
	switch key {
	case "strikes":
		return setCount(&b.Strikes, value, 1, maxStrikes)
	case "within":
		return setDuration(&b.Within, value, time.Second, maxWithin)
	case "for":
		return setDuration(&b.For, value, time.Second, maxBlock)
	case "max":
		return setDuration(&b.Max, value, time.Second, maxBlock)
	case "kill":
		return setSwitch(&b.Kill, value)
	case "grace":
		return setDuration(&b.Grace, value, 0, maxGrace)
	}
	return setCount(&b.MaxEntries, value, 1, maxEntries)
}

func setOnBlock(c *Config, args []string) error {
	switch {
	case args[0] == off && len(args) == 1:
		c.OnBlock = nil
		return nil
	case len(args) == 1 && meansNone(args[0]):
		return wrong("write off", "%s is not a program", quoted(args[0]))
	}
	if err := absolute(args[0]); err != nil {
		return err
	}
	c.OnBlock = slices.Clone(args)
	return nil
}

func printOnBlock(c *Config) string {
	if c.OnBlock == nil {
		return off
	}
	return joined(c.OnBlock...)
}
