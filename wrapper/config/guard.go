package config

import (
	"path"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

const (
	maxBadRcpts      = 1000
	maxBadRcptsTotal = 255 // the ledger counts no further
	maxRcpts         = 100_000
	maxResets        = 10_000
	maxBadRcptDelay  = 5 * time.Second // well below the 10 s that sendmail gives a milter (T=R)
)

// setPercent sets n to a percentage, written without the %.
func setPercent(n *int, word string) error {
	if number, found := strings.CutSuffix(word, "%"); found {
		if err := setCount(new(int), number, 0, 100); err != nil {
			return outOfRange(word, "0", "100")
		}
		return newError("write "+number, "%s is not a plain number", quoted(word))
	}
	return setCount(n, word, 0, 100)
}

func setBadRcptsTotal(c *Config, args []string) error {
	var total rule.Rate
	if err := setRate(&total, args[0], maxBadRcptsTotal); err != nil {
		return err
	}
	share := policy.BadRcptsShare
	given, err := readPair(args[1:], "share", func(value string) error {
		return setPercent(&share, value)
	})
	if err != nil {
		return err
	}
	if given && total.N == 0 {
		return newError("write bad_rcpts_total 0", "share= without a limit")
	}
	c.BadRcptsTotal, c.BadRcptsShare = total, share
	return nil
}

func printBadRcptsTotal(c *Config) string {
	if c.BadRcptsTotal.N == 0 {
		return c.BadRcptsTotal.String()
	}
	return c.BadRcptsTotal.String() + " share=" + strconv.Itoa(c.BadRcptsShare)
}

const (
	transcriptMax = 10 << 20 // without max=
	minTranscript = 64 << 10
	maxTranscript = 1 << 30
)

// printTranscript is the spelling of sendwrap.conf: "/var/log/sendwrap max=10M" or "off".
func printTranscript(c *Config) string {
	t := &c.Transcript
	if t.Dir == "" {
		return off
	}
	return joinWords(t.Dir) + " max=" + formatSize(t.Max)
}

func setTranscript(c *Config, args []string) error {
	switch {
	case len(args) == 1 && args[0] == off:
		c.Transcript = policy.Transcript{}
		return nil
	case len(args) == 1 && (args[0] == "0" || meansOff(args[0])):
		return newError("write off", "%s is not a directory", quoted(args[0]))
	}
	if !strings.HasPrefix(args[0], "/") {
		return checkAbsolute(args[0])
	}
	t := policy.Transcript{Dir: path.Clean(args[0]), Max: transcriptMax}
	if t.Dir == "/" { // the guard deletes old files there
		return newError("write a directory of its own, such as /var/log/sendwrap",
			"%s has other files", quoted(args[0]))
	}
	_, err := readPair(args[1:], "max", func(value string) error {
		return setSize(&t.Max, value, minTranscript, maxTranscript)
	})
	if err == nil {
		c.Transcript = t
	}
	return err
}
