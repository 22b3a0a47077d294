package courier

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"sendwrap/wrapper/share/wire"
)

// publish sends what the member gives it, in order.
func (c *courier) publish(ctx context.Context, client valkey.Client) error {
	for {
		c.mu.Lock()
		var lines []string
		if len(c.sending) > 0 {
			lines, c.sending = c.sending[0], c.sending[1:]
		}
		c.mu.Unlock()
		if lines == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-c.wake:
				continue
			}
		}
		var commands valkey.Commands
		for _, line := range lines[1:] {
			key, rest, _ := strings.Cut(line, " ")
			ttl, event, _ := strings.Cut(rest, " ")
			if key != "-" {
				ms, err := strconv.ParseInt(ttl, 10, 64)
				if err != nil {
					return err
				}
				commands = append(commands, client.B().Set().Key(c.Prefix+":"+key).Value(event).
					PxMilliseconds(ms).Build())
			}
			commands = append(commands, client.B().Xadd().Key(c.stream()).Maxlen().Almost().
				Threshold(strconv.Itoa(maxStream)).Id("*").FieldValue().FieldValue("e", event).
				Build())
		}
		for _, answer := range client.DoMulti(ctx, commands...) {
			if err := answer.Error(); err != nil {
				return err
			}
		}
		if err := c.conn.Send(wire.Sent, lines[0]); err != nil {
			return err
		}
	}
}

// readStream reads what all machines say, after the position.
func (c *courier) readStream(ctx context.Context, client valkey.Client) error {
	for ctx.Err() == nil {
		c.mu.Lock()
		read, position := c.read, c.position
		c.mu.Unlock()
		if !read {
			if !sleep(ctx, streamWait*time.Millisecond/5) {
				return ctx.Err()
			}
			continue
		}
		answer, err := client.Do(ctx, client.B().Xread().Count(readAtOnce).Block(streamWait).
			Streams().Key(c.stream()).Id(position).Build()).AsXRead()
		if valkey.IsValkeyNil(err) {
			continue
		}
		if err != nil {
			return err
		}
		entries := answer[c.stream()]
		if len(entries) == 0 {
			continue
		}
		if err := c.lookForGap(ctx, client, position, len(entries)); err != nil {
			return err
		}
		last := entries[len(entries)-1].ID
		lines := []string{last, c.lag(ctx, client, entries[0].ID)}
		for _, entry := range entries {
			if text := entry.FieldValues["e"]; text != mark {
				lines = append(lines, oneLine(text))
			}
		}
		if err := c.conn.Send(wire.Events, lines...); err != nil {
			return err
		}
		c.mu.Lock()
		if c.position == position { // else the member has said another
			c.position = last
		}
		c.mu.Unlock()
	}
	return ctx.Err()
}

// lookForGap says if entries after the position are gone. Whoever is so far behind gets as many as
// it asks for.
func (c *courier) lookForGap(ctx context.Context, client valkey.Client, position string,
	entries int) error {
	if entries < readAtOnce || position == beginning {
		return nil
	}
	kept, err := c.keeps(ctx, client, position)
	if err == nil && !kept {
		err = c.conn.Send(wire.Gap)
	}
	return err
}

// keeps says whether the stream still has the entry that was read last. No other is asked for: it
// could be too large.
func (c *courier) keeps(ctx context.Context, client valkey.Client, position string) (bool, error) {
	found, err := client.Do(ctx, client.B().Xrange().Key(c.stream()).Start(position).End(position).
		Build()).AsXRange()
	return len(found) > 0, err
}

// mark is an event that says nothing.
const mark = "-"

// passBy goes on behind what was too large. Only what a machine writes itself has a place that it
// learns without reading: a mark. What comes before it is lost, but for the state, which is read
// now. To the member this is one event to refuse.
func (c *courier) passBy(ctx context.Context, client valkey.Client) error {
	if err := client.Do(ctx, client.B().Hset().Key(c.here()).FieldValue().
		FieldValue(c.Name, "").Build()).Error(); err != nil {
		return err
	}
	position, err := client.Do(ctx, client.B().Xadd().Key(c.stream()).Maxlen().Almost().
		Threshold(strconv.Itoa(maxStream)).Id("*").FieldValue().FieldValue("e", mark).
		Build()).ToString()
	if err != nil {
		return err
	}
	return c.conn.Send(wire.Events, position, "0", notText)
}

// lag is for how long, in ms, an entry has been in the stream. It is read only when it matters.
func (c *courier) lag(ctx context.Context, client valkey.Client, id string) string {
	now, err := engineTime(ctx, client)
	if err != nil {
		return "0"
	}
	n, _ := strconv.ParseInt(now, 10, 64)
	return strconv.FormatInt(max(0, n-milliseconds(id)), 10)
}

// milliseconds is when an entry came, by the engine's clock.
func milliseconds(id string) int64 {
	ms, _, _ := strings.Cut(id, "-")
	at, _ := strconv.ParseInt(ms, 10, 64)
	return min(at, 1<<43) // a year that nobody sees
}

// mostOfEvent is the last byte of an event that is passed on, the first being 0. No event is that
// long, so the member refuses whatever was cut.
const mostOfEvent = 250

// oneLine keeps an event to one line of the packet, and to a size that has a place there.
func oneLine(text string) string {
	text = text[:min(len(text), mostOfEvent+1)]
	return strings.ReplaceAll(text, "\n", "?")
}
