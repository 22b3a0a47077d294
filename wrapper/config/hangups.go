package config

import (
	"strings"
	"time"

	"sendwrap/allowlist/rule"
)

const (
	maxHangups    = 15 // the ledger counts no further
	maxHangupsPer = 24 * time.Hour
)

// setHangups sets r by N/DUR or off.
func setHangups(r *rule.Rate, word string) error {
	switch n, per, found := strings.Cut(word, "/"); {
	case word == off:
		*r = rule.Rate{}
	case word == "0", meansOff(word):
		return newError("write off", "%s is not N/DUR", quoted(word))
	case !found:
		return newError("write N/DUR such as 3/1h, or off", "%s is not N/DUR", quoted(word))
	default:
		var v rule.Rate
		if err := setCount(&v.N, n, 1, maxHangups); err != nil {
			return err
		}
		if err := setDuration(&v.Per, per, time.Minute, maxHangupsPer); err != nil {
			return err
		}
		*r = v
	}
	return nil
}

func printHangups(c *Config) string {
	if c.Hangups.N == 0 {
		return off
	}
	return c.Hangups.String()
}
