package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
)

const (
	day         = 24 * time.Hour
	maxDuration = 10_000 * day // beyond the range of every directive, far below an overflow
	maxCount    = 1 << 31      // likewise
)

// ParseDuration reads a time with its unit: ms, s, m, h or d; several of them, as in 1h30m or
// 1d12h; and fractions down to 1 ms. Only 0 needs no unit. A time is not negative and at most
// 10,000 days. The error is an *[Error] without a place.
func ParseDuration(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && d > maxDuration {
		return 0,
			newError("write at most "+rule.FormatDuration(maxDuration), "%s is out of range",
				quoted(s))
	}
	return d, err
}

// parseDuration is ParseDuration, but returns a longer time as maxDuration+1.
func parseDuration(s string) (time.Duration, error) {
	var days uint64
	rest := s
	if number, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range, n is its maximum
			return 0, badDuration(s)
		}
		days, rest = n, after
		if rest == "" {
			rest = "0"
		}
	}
	d, err := time.ParseDuration(rest)
	if unit := strings.TrimLeft(rest, "0123456789"); err != nil && unit != rest {
		if _, err := time.ParseDuration("1" + unit); err == nil { // the number is too large
			return maxDuration + 1, nil
		}
	}
	switch {
	case err != nil || d < 0:
		return 0, badDuration(s)
	case days > uint64(maxDuration/day) || d > maxDuration-time.Duration(days)*day:
		return maxDuration + 1, nil
	case d%time.Millisecond != 0:
		return 0, newError("write whole milliseconds", "%s is finer than 1ms", quoted(s))
	}
	return time.Duration(days)*day + d, nil
}

func badDuration(s string) *Error {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return newError("write "+s+"s", "no unit in %s", quoted(s))
	}
	if meant := guessDuration(s); meant != "" {
		return newError("write "+meant, "%s is not a time", quoted(s))
	}
	return newError("write a number with ms, s, m, h or d, such as 90s or 1h30m",
		"%s is not a time", quoted(s))
}

// guessDuration is the time that a word means to other programs, if it is one number with a unit:
// 1w, 30min, 2hours, 5S. Otherwise it is "".
func guessDuration(s string) string {
	unit := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseUint(s[:len(s)-len(unit)], 10, 16)
	unit = strings.TrimSuffix(strings.ToLower(unit), "s")
	if unit == "" { // 5S
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

// setDuration sets d by a word, from least to most.
func setDuration(d *time.Duration, word string, least, most time.Duration) error {
	v, err := parseDuration(word)
	if err != nil && least == 0 && meansOff(word) {
		return newError("write 0s", "%s is not a time", quoted(word))
	}
	if err != nil {
		return err
	}
	if v < least || v > most {
		return outOfRange(word,
			rule.FormatDuration(least), rule.FormatDuration(most))
	}
	*d = v
	return nil
}

// setCount sets n by a whole number, from least to most.
func setCount(n *int, word string, least, most int) error {
	v, err := strconv.Atoi(word)
	if err != nil || v < least || v > most {
		meant, ok := guessCount(word)
		switch {
		case strings.HasSuffix(word, "%"):
			return newError(fmt.Sprintf("write a number, %d to %d", least, most),
				"%s is a percentage", quoted(word))
		case ok && meant >= least && meant <= most:
			return newError("write "+strconv.Itoa(meant), "%s is not a plain number", quoted(word))
		case !ok && !strings.ContainsAny(word, "0123456789"):
			return newError(fmt.Sprintf("write %d to %d", least, most), "%s is not a number",
				quoted(word))
		}
		return outOfRange(word, strconv.Itoa(least), strconv.Itoa(most))
	}
	*n = v
	return nil
}

// setBits is setCount for the length of a prefix.
func setBits(bits *int, word string, least, most int) error {
	if err := setCount(bits, word, least, most); err != nil {
		if plain := strings.TrimPrefix(word, "/"); setCount(bits, plain, least, most) == nil {
			return newError("write "+plain, "%s has a slash", quoted(word))
		}
		return err
	}
	return nil
}

// meansOff reports whether a word switches a limit off in other programs. Here, 0 does.
func meansOff(word string) bool {
	words := []string{"off", "no", "none", "never", "unlimited", "disabled", "false"}
	return slices.Contains(words, strings.ToLower(word))
}

// guessCount is the number that a word means to other programs: 1k, 20K, 1M, 1_000, 1,000, off.
func guessCount(word string) (n int, ok bool) {
	if meansOff(word) {
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
	parts := strings.FieldsFunc(word,
		func(r rune) bool { return r == ',' || r == '_' || r == '\'' })
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

// setSize sets n by a number of bytes, from least to most: a whole number with k, M or G, the
// powers of 1024.
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
		return newError("write a whole number with k, M or G, such as 10M", "%s is not a size",
			quoted(word))
	case shift == 0:
		return newError("write k, M or G after it, such as 10M", "no unit in %s", quoted(word))
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
	case meansOff(word), word == "0":
		return newError("write off", "%s is unknown", quoted(word))
	case meant == "on", meant == "yes", meant == "true", meant == "1", meant == "enabled":
		return newError("write on", "%s is unknown", quoted(word))
	default:
		return newError("write on or off", "%s is unknown", quoted(word))
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
	return newError("write "+least+" to "+most, "%s is out of range", quoted(word))
}

// setRate sets r by N/DUR, with N from 1 to most. 0 is no limit.
func setRate(r *rule.Rate, word string, most int) error {
	if word == "0" {
		*r = rule.Rate{}
		return nil
	}
	n, per, found := strings.Cut(word, "/")
	if !found {
		return newError("write N/DUR such as 10/1m, or 0 for no limit", "%s is not a rate",
			quoted(word))
	}
	v, err := parseRate(n, per, most)
	if err == nil {
		*r = v
		return nil
	}
	if _, swapped := parseRate(per, n, most); swapped == nil {
		return newError("write "+per+"/"+n, "%s has the time before the number", quoted(word))
	}
	return err
}

// parseRate reads a rate from its number and its time.
func parseRate(n, per string, most int) (r rule.Rate, err error) {
	if err := setCount(&r.N, n, 1, most); err != nil {
		return r, err
	}
	return r, setDuration(&r.Per, per, time.Second, maxRatePer)
}

// checkAbsolute refuses the name of a directory, and one that depends on the working directory.
func checkAbsolute(path string) error {
	if !strings.HasPrefix(path, "/") {
		return newError("write its full path, from /", "%s is not an absolute path", quoted(path))
	}
	if strings.HasSuffix(path, "/") {
		return newError("write the path of a file", "%s names a directory", quoted(path))
	}
	return nil
}
