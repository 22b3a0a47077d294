package courier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"

	"sendwrap/wrapper/share/wire"
)

// check says how it stands with the engine, in lines for people.
func (c *courier) check() error {
	lines, err := c.ask()
	first := "ok"
	if err != nil {
		first = "bad"
		lines = append(lines, "engine: "+c.reason(err))
	}
	if ofRights(err) {
		lines = append(lines, "these rights suffice: "+c.rights())
	}
	return c.conn.Send(wire.Report, append([]string{first}, lines...)...)
}

// ofRights says whether an error is about what the user may do, or about who that is.
func ofRights(err error) bool {
	for _, word := range []string{"NOPERM", "WRONGPASS", "NOAUTH"} {
		if err != nil && strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}

// rights are the ACL that suffices.
func (c *courier) rights() string {
	user := c.User
	if user == "" {
		user = "sendwrap"
	}
	line := fmt.Sprintf("ACL SETUSER %s on >PASSWORD ~%s:* -@all +hello +auth +client|setname "+
		"+select +ping +info +time +set +getrange +scan +xadd +xread +xrange +xrevrange "+
		"+hset +hget +hgetall +pexpire", user, c.Prefix)
	switch {
	case c.Master != "":
		line += " +role"
	case len(c.Engines) > 1:
		line += " +cluster|slots +cluster|shards +asking"
	}
	return line
}

// ask tries each command once.
func (c *courier) ask() (lines []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	client, err := c.dial()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	version, err := engineVersion(ctx, client)
	if err != nil {
		return nil, err
	}
	lines = append(lines, "engine: "+version)
	now, err := engineTime(ctx, client)
	if err != nil {
		return lines, err
	}
	if err := c.tryRights(ctx, client); err != nil {
		return lines, err
	}
	lines = append(lines, "rights: all that are needed")
	if c.User == "" {
		lines = append(lines, "these rights suffice: "+c.rights())
	}
	others, err := client.Do(ctx, client.B().Hgetall().Key(c.here()).Build()).AsStrMap()
	if err != nil {
		return lines, err
	}
	last, err := client.Do(ctx, client.B().Xrevrange().Key(c.stream()).End("+").Start("-").
		Count(1).Build()).AsXRange()
	if err != nil {
		return lines, err
	}
	wrong := 0
	for _, name := range slices.Sorted(maps.Keys(others)) {
		h := parseHere(others[name])
		if h.at == 0 || !plain(name+others[name]) || len(lines) > mostHere {
			wrong++
			continue
		}
		lines = append(lines, c.describe(name, h, now, last))
	}
	if wrong > 0 {
		lines = append(lines, fmt.Sprintf("others: %d entries that no machine has written, or one "+
			"too many", wrong))
	}
	return lines, nil
}

// mostHere is about how many machines the report has.
const mostHere = 125

// plain says whether a text can have a place in a line of the report.
func plain(text string) bool {
	const most = 160 // bytes; a machine of ours writes less
	return len(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// tryRights uses a key of its own, which is gone a second later, and changes nothing else.
func (c *courier) tryRights(ctx context.Context, client valkey.Client) error {
	key := c.Prefix + ":check:" + c.Name
	b := client.B
	for _, answer := range client.DoMulti(ctx,
		b().Set().Key(key).Value("x").PxMilliseconds(1000).Build(),
		b().Getrange().Key(key).Start(0).End(1).Build(),
		b().Pexpire().Key(key).Milliseconds(1000).Build(),
		b().Hget().Key(c.here()).Field(c.Name).Build(),
		b().Xread().Count(1).Streams().Key(c.stream()).Id("$").Build(),
	) {
		if err := answer.Error(); err != nil && !valkey.IsValkeyNil(err) {
			return err
		}
	}
	events, err := client.Do(ctx, b().Xrange().Key(c.stream()).Start("-").End("+").Count(1).
		Build()).AsXRange()
	if err != nil {
		return err
	}
	if len(events) > 0 && events[0].FieldValues["e"] == "" {
		return fmt.Errorf("%s is another program's; write another share_prefix", c.stream())
	}
	return client.Do(ctx, b().Scan().Cursor(0).Match(key).Count(1).Build()).Error()
}

// describe says in one line how it stands with a machine.
func (c *courier) describe(name string, h here, now string, last []valkey.XRangeEntry) string {
	n, _ := strconv.ParseInt(now, 10, 64)
	text := fmt.Sprintf("%s: sendwrap %q, seen %d s ago", name, h.version, max(0, n-h.at)/1000)
	switch {
	case len(last) == 0 || !less(h.position, last[0].ID):
		text += ", has read everything"
	case !less(beginning, h.position):
		text += ", has read nothing yet"
	default:
		behind := milliseconds(last[0].ID) - milliseconds(h.position)
		text += fmt.Sprintf(", was %v behind then", time.Duration(behind)*time.Millisecond)
	}
	if h.countBy != c.CountBy {
		text += fmt.Sprintf("; counts by %q, this machine by %q: known clients and recipients are "+
			"not shared", h.countBy, c.CountBy)
	}
	if name == c.Name && h.instance != c.Instance {
		text += "; it is not this machine: give each a share_name of its own"
	}
	return text
}
