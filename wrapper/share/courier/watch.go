package courier

import (
	"context"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"

	"sendwrap/wrapper/share/wire"
)

// watch says what the time is, that this machine is here, and whether the engine has lost what it
// had.
func (c *courier) watch(ctx context.Context, client valkey.Client) error {
	own := ""
	for {
		now, err := engineTime(ctx, client)
		if err != nil {
			return err
		}
		if err := c.conn.Send(wire.Time, now); err != nil {
			return err
		}
		if err := c.sayHere(ctx, client, now, &own); err != nil {
			return err
		}
		if err := c.lookForReset(ctx, client); err != nil {
			return err
		}
		if !sleep(ctx, watchEvery) {
			return ctx.Err()
		}
	}
}

// sayHere notes in the engine that this machine is here. It says if another one has its name, and
// if an earlier note is gone: then the engine may have been flushed. own is what it has noted last.
func (c *courier) sayHere(ctx context.Context, client valkey.Client, now string,
	own *string) error {
	before, err := client.Do(ctx, client.B().Hget().Key(c.here()).Field(c.Name).Build()).ToString()
	if err != nil && !valkey.IsValkeyNil(err) {
		return err
	}
	if before == "" {
		if err := c.conn.Send(wire.Empty); err != nil {
			return err
		}
	}
	h := parseHere(before)
	at, _ := strconv.ParseInt(now, 10, 64)
	if before != "" && h.instance != c.Instance && at-h.at < 3*watchEvery.Milliseconds() &&
		*own != "" {
		if err := c.conn.Send(wire.Double); err != nil {
			return err
		}
	}
	c.mu.Lock()
	position := c.position
	c.mu.Unlock()
	*own = strings.Join([]string{c.Version, c.Instance, now, position, c.CountBy}, " ")
	for _, answer := range client.DoMulti(ctx,
		client.B().Hset().Key(c.here()).FieldValue().FieldValue(c.Name, *own).Build(),
		client.B().Pexpire().Key(c.here()).Milliseconds(hereKept.Milliseconds()).Build()) {
		if err := answer.Error(); err != nil {
			return err
		}
	}
	return nil
}

// here is what a machine has noted of itself.
type here struct {
	version, instance string
	at                int64 // ms
	position, countBy string
}

func parseHere(text string) (h here) {
	words := strings.Split(text, " ")
	if len(words) != 5 {
		return h
	}
	at, _ := strconv.ParseInt(words[2], 10, 64)
	return here{words[0], words[1], at, words[3], words[4]}
}

// lookForReset compares the position with what the stream has. After a failover or a flush the
// stream may be older than the position: then it is read from its beginning.
func (c *courier) lookForReset(ctx context.Context, client valkey.Client) error {
	c.mu.Lock()
	read, position := c.read, c.position
	c.mu.Unlock()
	if !read || position == beginning {
		return nil
	}
	kept, err := c.keeps(ctx, client, position)
	if err != nil || kept {
		return err
	}
	last, err := client.Do(ctx, client.B().Xrevrange().Key(c.stream()).End("+").Start("-").
		Count(1).Build()).AsXRange()
	if err != nil || len(last) > 0 && !less(last[0].ID, position) {
		return err
	}
	c.mu.Lock()
	if c.position == position { // else the stream was read on meanwhile
		c.position = beginning
	}
	c.mu.Unlock()
	return c.conn.Send(wire.Gap)
}

// beginning is the position before the first entry.
const beginning = "0-0"

// less compares two positions of a stream.
func less(a, b string) bool {
	parse := func(id string) (ms, n uint64) {
		first, second, _ := strings.Cut(id, "-")
		ms, _ = strconv.ParseUint(first, 10, 64)
		n, _ = strconv.ParseUint(second, 10, 64)
		return ms, n
	}
	aMS, aN := parse(a)
	bMS, bN := parse(b)
	return aMS < bMS || aMS == bMS && aN < bN
}
