package compile

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// Result is what Compile has written.
type Result struct {
	Networks  int    // that the text names
	Names     int    // that the text names
	AccessMap string // its path; "" = none
	Entries   int    // of that which count
	Bytes     int64
	Took      time.Duration // of reading and writing
	Mistakes  error         // in the text, as config.Load returns them
}

// Unsettled says that a source is too young: if it changed again, nobody could see that. It may
// also have changed while it was read.
type Unsettled struct{ Source string }

func (e *Unsettled) Error() string {
	return e.Source + ": changed within the last second, or while it was read"
}

// ErrBusy says that another process is writing the policy.
var ErrBusy = errors.New("another process is compiling it")

// errTooSoon says that it has failed a moment ago.
var errTooSoon = errors.New("it has just failed")

// attempts is how often Compile tries, once a second.
const attempts = 30

// Compile reads the configuration file, and writes its policy to path. Its directory must be one in
// which only root and our own user can write; if the last directory is missing, it is made, mode
// 0700.
//
// Files that have just changed keep it waiting, until later changes would be seen. For half a
// minute it waits for another process that writes the same policy. The error is an [*Unreadable] if
// there is nothing to compile; wrong lines are no error. Whatever the error, the text still serves.
func Compile(file, path string) (r Result, err error) {
	for range attempts {
		var young *Unsettled
		r, err = write(file, path, false)
		switch {
		case errors.As(err, &young), err == ErrBusy:
			time.Sleep(policy.Settled)
		default:
			return r, err
		}
	}
	return r, err
}

// Renew is Compile for a process that has found no current policy. It never waits: if another
// process is at it or has done it, or a file has just changed, or cannot be read, Renew leaves it
// to the next one, and that is no error. After another error, it leaves it for a minute.
func Renew(file, path string) error {
	_, err := write(file, path, true)
	if err == ErrBusy || err == errTooSoon || isEarly(err) {
		return nil
	}
	return err
}

// isEarly reports whether a later try may succeed without any mend.
func isEarly(err error) bool {
	var young *Unsettled
	var unreadable *Unreadable
	return errors.As(err, &young) || errors.As(err, &unreadable)
}

// Unreadable says that there is nothing to compile.
type Unreadable struct{ Err error } // of config.Read

func (e *Unreadable) Error() string { return e.Err.Error() }

// write makes the policy. With renew, it leaves a current one.
func write(file, path string, renew bool) (r Result, err error) {
	out, err := create(path, renew)
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, out.discard(renew && err != nil && !isEarly(err)))
	}()
	if renew {
		if c, err := policy.Open(path, file, netip.Addr{}); err == nil {
			c.Close()
			return r, nil
		}
	}
	begin := time.Now()
	content, err := read(file, begin, &r)
	if err != nil {
		return r, err
	}
	buffered := bufio.NewWriterSize(out.file, 1<<18)
	if r.Bytes, err = policy.Write(buffered, content); err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return r, err
	}
	if err := out.putInPlace(); err != nil {
		return r, err
	}
	r.Took = time.Since(begin)
	return r, nil
}

// read reads the text, and sets what r has of it.
func read(file string, now time.Time, r *Result) (*policy.Content, error) {
	c := newCollector()
	cfg, err := config.Read(file, c)
	if cfg == nil {
		return nil, &Unreadable{err}
	}
	r.Networks, r.Names, r.Mistakes = c.calls.networks, c.calls.names, err
	for _, s := range cfg.Sources {
		if policy.Look(s.Path) != s.Stamp || !s.IsSettled(now) {
			return nil, &Unsettled{s.Path}
		}
	}
	content := &policy.Content{
		Made: now, Settings: &cfg.Settings, Warnings: config.LogLines(err, config.LineSkipped),
		Sources: once(cfg.Sources),
	}
	numbers, err := numbersOf(c.files, content.Sources)
	if err != nil {
		return nil, err
	}
	merged := newLimitsTable()
	c.settings = content.Settings
	content.Table = c.table(numbers, &merged)
	if cfg.Map != nil {
		r.AccessMap, r.Entries = cfg.AccessMap, len(cfg.Map.Entries())
		file := uint16(sourceNumber(cfg.AccessMap, content.Sources))
		if err := fillMap(content, cfg.Map, file, &merged); err != nil {
			return nil, fmt.Errorf("%s:%w", cfg.AccessMap, err)
		}
	}
	content.Limits = merged.all[1:]
	if content.NameKey, err = randomKey(); err != nil {
		return nil, err
	}
	return content, nil
}

func randomKey() (key [2]uint64, err error) {
	var b [16]byte
	if _, err := unix.Getrandom(b[:], 0); err != nil {
		return key, os.NewSyscallError("getrandom", err)
	}
	key[0], key[1] = halves(b)
	return key, nil
}

// table makes a table of networks and names. It consumes the collector.
func (c *collector) table(files []uint16, merged *limitsTable) (t policy.Table) {
	c.indexes, c.more = nil, nil // the garbage collector may need them
	t.V4, t.V6 = c.ranges(files, merged)
	t.Names = c.namesAndWider(files, merged)
	return t
}

// once leaves out sources that have the name of one before: they are the same file, since both have
// the stamp of now.
func once(all []policy.Source) (list []policy.Source) {
	seen := map[string]bool{}
	for _, s := range all {
		if !seen[s.Path] {
			list = append(list, s)
		}
		seen[s.Path] = true
	}
	return list
}

// numbersOf are the numbers of the files among the sources.
func numbersOf(files []string, sources []policy.Source) (numbers []uint16, err error) {
	for _, file := range files {
		i := sourceNumber(file, sources)
		if i < 0 || i > math.MaxUint16 {
			return nil, fmt.Errorf("%s: too many files", file)
		}
		numbers = append(numbers, uint16(i))
	}
	return numbers, nil
}
