// Package courier is the part of `sendwrap share` that speaks to Valkey or Redis. It runs as a user
// without rights, has neither the ledger nor any file, and believes nothing: what it reads in the
// engine goes to the member as it is.
package courier

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"sendwrap/wrapper/share/wire"
)

const (
	patience   = 5 * time.Second // for one answer of the engine
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second
)

// courier is one connection to the engine, and all that waits for it.
type courier struct {
	wire.Settings
	conn     *wire.Conn
	worked   bool        // the engine has answered
	tooLarge atomic.Bool // an answer was, since the engine was opened last

	mu       sync.Mutex // of what follows
	read     bool       // the member has said from where to read
	position string     // in the stream
	sending  [][]string // packets of Send
	all      bool       // the whole state is wanted
	wake     chan struct{}
}

// Run serves the member until that ends.
func Run(conn *wire.Conn) error {
	s, err := conn.ReceiveSettings()
	if err != nil {
		return err
	}
	c := &courier{Settings: s, conn: conn, wake: make(chan struct{}, 1)}
	if s.Check {
		return c.check()
	}
	ctx, cancel := context.WithCancel(context.Background())
	go c.listen(cancel)
	for pause := firstPause; ctx.Err() == nil; {
		began := time.Now()
		err := c.serve(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > longPause {
			pause = firstPause
		}
		if conn.Send(wire.Down, c.reason(err)) != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
	return nil
}

// listen takes what the member says.
func (c *courier) listen(cancel context.CancelFunc) {
	defer cancel()
	for {
		verb, lines, err := c.conn.Receive()
		if err != nil {
			return
		}
		c.mu.Lock()
		switch {
		case verb == wire.Send && len(lines) > 1:
			c.sending = append(c.sending, lines)
		case verb == wire.All:
			c.all = true
		case verb == wire.Read && len(lines) == 1:
			c.read, c.position = true, lines[0]
		}
		c.mu.Unlock()
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// serve connects to the engine and works until something fails.
func (c *courier) serve(ctx context.Context) error {
	client, err := c.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	version, err := engineVersion(ctx, client)
	if err != nil {
		return err
	}
	now, err := engineTime(ctx, client)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.read, c.all, c.sending = false, false, nil
	c.mu.Unlock()
	c.worked = true
	if err := c.conn.Send(wire.Up, version, now); err != nil {
		return err
	}
	if c.tooLarge.Swap(false) {
		if err := c.passBy(ctx, client); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	for _, task := range []func(context.Context, valkey.Client) error{
		c.publish, c.readStream, c.readState, c.watch,
	} {
		work.Go(func() { cancel(task(ctx, client)) })
	}
	work.Wait()
	return context.Cause(ctx)
}

// dial opens the engine.
func (c *courier) dial() (valkey.Client, error) {
	o := valkey.ClientOption{
		Username: c.User, Password: c.Password, ClientName: "sendwrap-" + c.Name,
		DisableCache: true, SelectDB: c.Engines[0].DB, ConnWriteTimeout: patience,
		Dialer:        net.Dialer{Timeout: patience, KeepAlive: time.Second},
		ClientSetInfo: valkey.DisableClientSetInfo, // Redis 7.0 knows no right to it
		// A command that fails is the member's to repeat: it knows what has become of it.
		DisableRetry: true, PipelineMultiplex: -1,
		RingScaleEachConn: 8, ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
		BlockingPoolSize: 2, ForceSingleClient: len(c.Engines) == 1 && c.Master == "",
		DialCtxFn: c.connect,
	}
	for _, e := range c.Engines {
		o.InitAddress = append(o.InitAddress, e.Address)
	}
	if c.Master != "" {
		o.Sentinel = valkey.SentinelOption{MasterSet: c.Master}
	}
	if c.Engines[0].TLS {
		var err error
		if o.TLSConfig, err = c.tls(); err != nil {
			return nil, err
		}
	}
	return valkey.NewClient(o)
}

// tls checks the engine's name, too: that of the address to which it connects.
func (c *courier) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != nil {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("no certificate in the file of ca=")
		}
	}
	if len(c.Engines) == 1 {
		host, _, _ := net.SplitHostPort(c.Engines[0].Address)
		t.ServerName = host
	}
	return t, nil
}

// reason is an error in one line, and what to do about it. A connection that has worked speaks the
// right protocol: if it ends, the engine has.
func (c *courier) reason(err error) string {
	if err == nil {
		return "the connection has ended"
	}
	text := err.Error()
	for _, known := range reasons {
		if strings.Contains(text, known.of) && !(c.worked && known.cure == writeTLS) {
			text = strings.TrimSuffix(text, ".") + "; " + known.cure
			break
		}
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text[:min(len(text), 400)])
}

const writeTLS = "if its port speaks TLS, write valkeys://"

// reasons say what to do about errors of engines and of TLS.
var reasons = []struct{ of, cure string }{
	{"WRONGPASS", "write the right password into the file of password=, or another user="},
	{"NOAUTH", "write password=FILE"},
	{"without any password configured", "leave out password=, or give the engine one"},
	{"NOPERM", "sendwrap share -check prints the ACL line that suffices"},
	{"READONLY", "this is a replica; name the primary, or the Sentinels with master="},
	{"MISCONF", "the engine cannot write to its disk; see its log"},
	{"OOM", "the engine is full; raise its maxmemory"},
	{"LOADING", "the engine is starting"},
	{"exhausted the last possible ID", "delete the key of the events, " +
		"and see whose machine has written there"},
	{"WRONGTYPE", "another program uses this prefix; write another share_prefix"},
	{"x509:", "write ca=FILE with the certificate that signs the engine's"},
	{"first record does not look like a TLS handshake", "write valkey://, without TLS"},
	{"MOVED", "this is a server of a Cluster; write the URLs of several"},
	{"CLUSTERDOWN", "a part of the Cluster is away"},
	{"connection reset by peer", writeTLS},
	{"EOF", writeTLS},
	{"connection refused", "start the engine, or write its address"},
	{"no route to host", "see whether its machine runs, and the route to it"},
	{"network is unreachable", "see whether this machine's network works"},
	{"no such host", "write a name that DNS knows, or an address"},
	{"no such file", "start the engine, or write the path of its socket"},
	{"'SENTINEL'", "with master=, write the URLs of Sentinels"},
	{errTooLarge.Error(), "see whose machine writes large values or keys there, " +
		"and give the others another password"},
	{"DB index", "write a smaller number behind the address"},
	{"deadline exceeded", "see whether the engine is stopped, and whether its port speaks TLS " +
		"(valkeys://) or not (valkey://)"},
	{"unknown command", "this is no Valkey, and no Redis 6 or later"},
	{"unexpected", "this is no Valkey or Redis"},
	{"unknown message type", "this is no Valkey or Redis"}, // HTTP or SMTP, for instance
}
