package config

import (
	"path"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist"
)

const (
	maxBadRcpts      = 1000
	maxBadRcptsTotal = 255 // as many as the ledger counts
	badRcptsShare    = 50  // unless bad_rcpts_total says otherwise
	maxRcpts         = 100_000
	maxResets        = 10_000
	maxBadRcptDelay  = 5 * time.Second // well below the 10 s that a milter gets by default (sendmail's T=R)
)

// setPercent sets n to a share of a hundred.
func setPercent(n *int, word string) error {
	if number, found := strings.CutSuffix(word, "%"); found {
		if err := setCount(new(int), number, 0, 100); err != nil {
			return outOfRange(word, "0", "100")
		}
		return wrong("write "+number, "%s is not a plain number", quoted(word))
	}
	return setCount(n, word, 0, 100)
}

var shareKeys = []string{"share"}

func setBadRcptsTotal(c *Config, args []string) error {
	var total allowlist.Rate
	share := badRcptsShare
	if err := setRate(&total, args[0], maxBadRcptsTotal); err != nil {
		return err
	}
	p := pairs{known: shareKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, setPercent(&share, value))
		}
		if err != nil {
			return err
		}
	}
	if total.N == 0 && p.given != 0 {
		return wrong("write bad_rcpts_total 0", "share= without a number")
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

// Transcript is where the guard writes down sessions that earned a block.
type Transcript struct {
	Dir string // an absolute path; "" = nowhere
	Max int64  // bytes of all files together
}

const (
	transcriptMax = 10 << 20 // unless transcript says otherwise
	minTranscript = 64 << 10
	maxTranscript = 1 << 30
)

// String is the spelling of sendwrap.conf: "/var/log/sendwrap max=10M" or "off".
func (t Transcript) String() string {
	if t.Dir == "" {
		return off
	}
	return joined(t.Dir) + " max=" + formatSize(t.Max)
}

var transcriptKeys = []string{"max"}

func setTranscript(c *Config, args []string) error {
	switch {
	case len(args) == 1 && args[0] == off:
		c.Transcript = Transcript{}
		return nil
	case len(args) == 1 && (args[0] == "0" || meansNone(args[0])):
		return wrong("write off", "%s is not a directory", quoted(args[0]))
	}
	if !strings.HasPrefix(args[0], "/") {
		return absolute(args[0])
	}
	t := Transcript{Dir: path.Clean(args[0]), Max: transcriptMax}
	if t.Dir == "/" { // the guard deletes old files there
		return wrong("write one, such as /var/log/sendwrap", "%s is no directory of its own", quoted(args[0]))
	}
	p := pairs{known: transcriptKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, setSize(&t.Max, value, minTranscript, maxTranscript))
		}
		if err != nil {
			return err
		}
	}
	c.Transcript = t
	return nil
}
