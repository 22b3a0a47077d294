package config

import (
	"path"
	"strings"
	"time"
)

const (
	maxBadRcpts      = 1000
	maxBadRcptsTotal = 255 // as many as the ledger counts
	maxRcpts         = 100_000
	maxResets        = 10_000
	maxBadRcptDelay  = 5 * time.Second // well below the 10 s that a milter gets by default (sendmail's T=R)
)

// setPercent sets n to a share of a hundred.
func setPercent(n *int, word string) error {
	if number, found := strings.CutSuffix(word, "%"); found && setCount(new(int), number, 0, 100) == nil {
		return wrong("write "+number, "%s is not a plain number", quoted(word))
	}
	return setCount(n, word, 0, 100)
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
