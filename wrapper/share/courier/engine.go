package courier

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Bounds of what is kept in the engine, and of what one command asks of it.
const (
	maxStream  = 100_000 // events in the stream, or a little more
	readAtOnce = 256     // events
	scanAtOnce = 500     // keys of the engine
	streamWait = 250     // ms that the engine waits for events
	hereKept   = time.Hour
	watchEvery = 10 * time.Second
)

func (c *courier) stream() string { return c.Prefix + ":{events}" }
func (c *courier) here() string   { return c.Prefix + ":{here}" }

// engineVersion is what the engine says of itself, and engineTime its clock in ms.
func engineVersion(ctx context.Context, client valkey.Client) (string, error) {
	info, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return "", err
	}
	name, version := "Redis", ""
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "redis_version":
			if version == "" {
				version = value
			}
		case "valkey_version":
			name, version = "Valkey", value
		}
	}
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil {
		return "", errors.New("unexpected answer to INFO")
	} else if n < 6 {
		return "", errors.New(name + " " + version + " is too old; install 6 or later")
	}
	return name + " " + version, nil
}

func engineTime(ctx context.Context, client valkey.Client) (string, error) {
	parts, err := client.Do(ctx, client.B().Time().Build()).AsStrSlice()
	if err != nil {
		return "", err
	}
	if len(parts) != 2 {
		return "", errors.New("unexpected answer to TIME")
	}
	s, err := strconv.ParseInt(parts[0], 10, 64)
	us, usErr := strconv.ParseInt(parts[1], 10, 64)
	if err = errors.Join(err, usErr); err != nil {
		return "", err
	}
	return strconv.FormatInt(s*1000+us/1000, 10), nil
}

// sleep reports false if the context ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
