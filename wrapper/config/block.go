package config

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

const (
	maxStrikes = 8 // the ledger keeps the times of 8
	maxWithin  = 24 * time.Hour
	maxBlock   = 31 * day
	maxGrace   = time.Minute
	maxEntries = 1_000_000
)

// printBlock is the spelling of sendwrap.conf: "strikes=3 within=10m for=1h …". If strikes make no
// block, "off" is in place of the first two.
func printBlock(c *Config) string {
	b := &c.Block
	duration := rule.FormatDuration
	first := off
	if b.Strikes > 0 {
		first = "strikes=" + strconv.Itoa(b.Strikes) + " within=" + duration(b.Within)
	}
	return first + " for=" + duration(b.For) + " max=" + duration(b.Max) +
		" kill=" + onOff(b.Kill) + " grace=" + duration(b.Grace) +
		" max_entries=" + strconv.Itoa(b.MaxEntries)
}

var blockKeys = []string{"strikes", "within", "for", "max", "kill", "grace", "max_entries"}

func setBlock(c *Config, args []string) error {
	b := c.Block
	isOff := args[0] == off
	if isOff {
		args = args[1:]
		b.Strikes = 0
	} else if len(args) == 1 && (args[0] == "0" || meansOff(args[0])) {
		return newError("write off", "%s is not KEY=VALUE", quoted(args[0]))
	} else if keyed := addKeys(args); keyed != nil && setsBlock(b, keyed) {
		return newError("write "+strings.Join(keyed, " "), "%s is not KEY=VALUE", quoted(args[0]))
	}
	if given, err := readPairs(args, blockKeys, func(key, value string) error {
		return setBlockKey(&b, key, value)
	}); err != nil {
		return err
	} else if isOff && given&3 != 0 { // the first two of blockKeys
		return newError("leave out one of the two", "%s= together with off",
			blockKeys[bits.TrailingZeros(given)])
	}
	if b.For > b.Max {
		first, most := rule.FormatDuration(b.For), rule.FormatDuration(b.Max)
		return newError("write max="+first+" or a shorter for", "for=%s is longer than max=%s",
			first, most)
	}
	c.Block = b
	return nil
}

// setsBlock reports whether the words, each with its key, are a right directive.
func setsBlock(b policy.Block, keyed []string) bool {
	return setBlock(&Config{Settings: policy.Settings{Block: b}}, keyed) == nil
}

// addKeys puts the keys, in their order, before values that have none. It returns nil if there are
// too many values, or if one has a key.
func addKeys(args []string) (all []string) {
	if len(args) > len(blockKeys) || strings.Contains(strings.Join(args, ""), "=") {
		return nil
	}
	for i, arg := range args {
		all = append(all, blockKeys[i]+"="+arg)
	}
	return all
}

// setBlockKey sets the field of one of blockKeys.
func setBlockKey(b *policy.Block, key, value string) error {
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
	case len(args) == 1 && meansOff(args[0]):
		return newError("write off", "%s is not a program", quoted(args[0]))
	}
	if err := checkAbsolute(args[0]); err != nil {
		return err
	}
	c.OnBlock = slices.Clone(args)
	return nil
}

func printOnBlock(c *Config) string {
	if c.OnBlock == nil {
		return off
	}
	return joinWords(c.OnBlock...)
}
