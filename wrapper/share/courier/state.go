package courier

import (
	"context"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"sendwrap/wrapper/share/wire"
)

// notText stands for a key that is no text. The member refuses it, as it refuses any such event.
const notText = "?"

// readState reads all keys of the state when the member wants that: a part of the engine's keys
// after the other, on each of its servers.
func (c *courier) readState(ctx context.Context, client valkey.Client) error {
	for ctx.Err() == nil {
		c.mu.Lock()
		all := c.all
		c.all = false
		c.mu.Unlock()
		if !all {
			if !sleep(ctx, streamWait*time.Millisecond/5) {
				return ctx.Err()
			}
			continue
		}
		for _, node := range client.Nodes() {
			if err := c.scan(ctx, client, node); err != nil {
				return err
			}
		}
		if err := c.conn.Send(wire.Complete); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// scan reads the state on one server.
func (c *courier) scan(ctx context.Context, client, node valkey.Client) error {
	for _, kind := range []string{":state:*", ":known:*"} {
		cursor := uint64(0)
		for {
			found, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(c.Prefix+kind).
				Count(scanAtOnce).Build()).AsScanEntry()
			if err != nil {
				return err
			}
			var gets valkey.Commands
			for _, key := range found.Elements {
				gets = append(gets, client.B().Getrange().Key(key).Start(0).End(mostOfEvent).
					Build())
			}
			var lines []string
			for _, answer := range client.DoMulti(ctx, gets...) {
				text, err := answer.ToString()
				if wrong, ok := valkey.IsValkeyErr(err); ok &&
					strings.HasPrefix(wrong.Error(), "WRONGTYPE") {
					text, err = notText, nil // by whoever wants to hide the other keys
				}
				if err != nil {
					return err
				}
				if text != "" { // it has expired meanwhile
					lines = append(lines, oneLine(text))
				}
			}
			for len(lines) > 0 {
				n := min(len(lines), readAtOnce)
				if err := c.conn.Send(wire.State, lines[:n]...); err != nil {
					return err
				}
				lines = lines[n:]
			}
			if cursor = found.Cursor; cursor == 0 {
				break
			}
		}
	}
	return nil
}
