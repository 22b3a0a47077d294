package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist"
)

const (
	day    = 24 * time.Hour
	maxAny = 10_000 * day // of any time that is written: beyond all ranges, far from overflow

	maxCount = 1 << 31 // of any number, likewise
)

// ParseDuration reads a time with its unit: ms, s, m, h or d, also several as in 1h30m or
// 1d12h, and fractions down to 1 ms. Only 0 needs no unit. It is never negative and at most
// 10,000 days. The error says what to write.
func ParseDuration(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && d > maxAny {
		return 0, wrong("write at most "+FormatDuration(maxAny), "%s is out of range", quoted(s))
	}
	return d, err
}

// parseDuration is ParseDuration, but what is longer than maxAny is just that.
func parseDuration(s string) (time.Duration, error) {
	var days uint64
	rest := s
	if number, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // then n is the most
			return 0, notDuration(s)
		}
		days, rest = n, after
		if rest == "" {
			rest = "0"
		}
	}
	d, err := time.ParseDuration(rest)
	if unit := strings.TrimLeft(rest, "0123456789"); err != nil && unit != rest {
		if _, one := time.ParseDuration("1" + unit); one == nil { // so it is the number
			return maxAny + 1, nil
		}
	}
	switch {
	case err != nil || d < 0:
		return 0, notDuration(s)
	case days > uint64(maxAny/day) || d > maxAny-time.Duration(days)*day:
		return maxAny + 1, nil
	case d%time.Millisecond != 0:
		return 0, wrong("write whole milliseconds", "%s is finer than 1ms", quoted(s))
	}
	return time.Duration(days)*day + d, nil
}

func notDuration(s string) *Error {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return wrong("write "+s+"s", "no unit in %s", quoted(s))
	}
	if meant := meantDuration(s); meant != "" {
		return wrong("write "+meant, "%s is not a time", quoted(s))
	}
	return wrong("write a number with ms, s, m, h or d, such as 90s or 1h30m", "%s is not a time", quoted(s))
}

// meantDuration is what other programs would take a word for, one number with another unit: 1w,
// 30min, 2hours, 5S; else "".
func meantDuration(s string) string {
	unit := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseUint(s[:len(s)-len(unit)], 10, 16)
	unit = strings.TrimSuffix(strings.ToLower(unit), "s")
	if unit == "" { // of 5S
		unit = "s"
	}
	if err != nil {
		return ""
	}
	for _, known := range []string{"second", "minute", "hour", "day"} {
		if strings.HasPrefix(known, unit) {
			return strconv.FormatUint(n, 10) + known[:1]
		}
	}
	if strings.HasPrefix("week", unit) {
		return strconv.FormatUint(7*n, 10) + "d"
	}
	return ""
}

// FormatDuration is the shortest spelling that ParseDuration reads back: 6s, 1h30m, 31d.
func FormatDuration(d time.Duration) string {
	if d > day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// setDuration sets d to the time that a word stands for, from least to most.
func setDuration(d *time.Duration, word string, least, most time.Duration) error {
	v, err := parseDuration(word)
	if err != nil && least == 0 && meansNone(word) {
		return wrong("write 0s", "%s is not a time", quoted(word))
	}
	if err != nil {
		return err
	}
	if v < least || v > most {
		return outOfRange(word, FormatDuration(least), FormatDuration(most))
	}
	*d = v
	return nil
}

// setCount sets n to the whole number that a word stands for, from least to most.
func setCount(n *int, word string, least, most int) error {
	v, err := strconv.Atoi(word)
	if err != nil || v < least || v > most {
		meant, ok := meantCount(word)
		switch {
		case strings.HasSuffix(word, "%"):
			return wrong(fmt.Sprintf("write a number, %d to %d", least, most),
				"%s is a percentage", quoted(word))
		case ok && meant >= least && meant <= most:
			return wrong("write "+strconv.Itoa(meant), "%s is not a plain number", quoted(word))
		case !ok && !strings.ContainsAny(word, "0123456789"):
			return wrong(fmt.Sprintf("write %d to %d", least, most), "%s is not a number", quoted(word))
		}
		return outOfRange(word, strconv.Itoa(least), strconv.Itoa(most))
	}
	*n = v
	return nil
}

// meansNone says whether a word is one by which other programs switch a limit off. Here 0 does.
func meansNone(word string) bool {
	return slices.Contains([]string{"off", "no", "none", "never", "unlimited", "disabled", "false"}, strings.ToLower(word))
}

// meantCount is the number that other programs would take the word for: 1k, 20K, 1M, 1_000, 1,000,
// off.
func meantCount(word string) (n int, ok bool) {
	if meansNone(word) {
		return 0, true
	}
	times := 1
	switch {
	case strings.HasSuffix(word, "k"), strings.HasSuffix(word, "K"):
		times = 1000
	case strings.HasSuffix(word, "M"), strings.HasSuffix(word, "m"):
		times = 1000 * 1000
	}
	if times > 1 {
		word = word[:len(word)-1]
	}
	parts := strings.FieldsFunc(word, func(r rune) bool { return r == ',' || r == '_' || r == '\'' })
	for i, part := range parts {
		if i > 0 && len(part) != 3 {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(strings.Join(parts, ""), 10, 31)
	if err != nil || v > maxCount/uint64(times) {
		return 0, false
	}
	return int(v) * times, true
}

// setSize sets n to the number of bytes that a word stands for, from least to most: a whole
// number with k, M or G, the powers of 1024.
func setSize(n *int64, word string, least, most int64) error {
	number, shift := word, 0
	for i, unit := range sizeUnits {
		if rest, found := strings.CutSuffix(word, unit); found {
			number, shift = rest, 10*(i+1)
		}
	}
	v, err := strconv.ParseUint(number, 10, 32)
	switch {
	case err != nil:
		return wrong("write a whole number with k, M or G, such as 10M", "%s is not a size", quoted(word))
	case shift == 0:
		return wrong("write a k, M or G after it, such as 10M", "no unit in %s", quoted(word))
	case v<<shift < uint64(least) || v<<shift > uint64(most):
		return outOfRange(word, formatSize(least), formatSize(most))
	}
	*n = int64(v << shift)
	return nil
}

var sizeUnits = []string{"k", "M", "G"}

// formatSize is the shortest spelling that setSize reads back.
func formatSize(n int64) string {
	unit := 0
	for n >>= 10; n%1024 == 0 && n > 0 && unit < len(sizeUnits)-1; n >>= 10 {
		unit++
	}
	return strconv.FormatInt(n, 10) + sizeUnits[unit]
}

// setSwitch sets b by on or off.
func setSwitch(b *bool, word string) error {
	switch meant := strings.ToLower(word); {
	case word == "on":
		*b = true
	case word == off:
		*b = false
	case meansNone(word), word == "0":
		return wrong("write off", "%s is unknown", quoted(word))
	case meant == "on", meant == "yes", meant == "true", meant == "1", meant == "enabled":
		return wrong("write on", "%s is unknown", quoted(word))
	default:
		return wrong("write on or off", "%s is unknown", quoted(word))
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return off
}

func outOfRange(word, least, most string) error {
	return wrong("write "+least+" to "+most, "%s is out of range", quoted(word))
}

// setRate sets r to the rate that N/DUR stands for, N at most most; 0 is no limit.
func setRate(r *allowlist.Rate, word string, most int) error {
	if word == "0" {
		*r = allowlist.Rate{}
		return nil
	}
	n, per, found := strings.Cut(word, "/")
	if !found {
		return wrong("write N/DUR such as 10/1m, or 0 for no limit", "%s is not a rate", quoted(word))
	}
	v, err := rateOf(n, per, most)
	if err == nil {
		*r = v
		return nil
	}
	if _, swapped := rateOf(per, n, most); swapped == nil {
		return wrong("write "+per+"/"+n, "%s has the time before the number", quoted(word))
	}
	return err
}

// rateOf is the rate of a number and a time.
func rateOf(n, per string, most int) (r allowlist.Rate, err error) {
	if err := setCount(&r.N, n, 1, most); err != nil {
		return r, err
	}
	return r, setDuration(&r.Per, per, time.Second, maxRatePer)
}

// absolute refuses a file name that depends on where the process runs, or names a directory.
func absolute(path string) error {
	if !strings.HasPrefix(path, "/") {
		return wrong("write its full path, from /", "%s is not an absolute path", quoted(path))
	}
	if strings.HasSuffix(path, "/") {
		return wrong("write the path of a file", "%s names a directory", quoted(path))
	}
	return nil
}
