package metrics

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// Bounds to what scrapers can cost. A scrape takes milliseconds.
const (
	maxConnections = 16
	maxAtOnce      = 4
	maxHeader      = 8 << 10
	readTime       = time.Second      // for a request: it is sent at once
	writeTime      = 10 * time.Second // for all of an answer, which a slow scraper does not read
)

func (s *Site) registry() (*prometheus.Registry, error) {
	r := prometheus.NewPedanticRegistry()
	return r, r.Register(s)
}

// WriteText writes all metrics once, as text.
func (s *Site) WriteText(to io.Writer) error {
	r, err := s.registry()
	if err != nil {
		return err
	}
	all, err := r.Gather()
	if err != nil {
		return err
	}
	for _, f := range all {
		if _, err := expfmt.MetricFamilyToText(to, f); err != nil {
			return err
		}
	}
	return nil
}

// Serve answers GET /metrics on the listener until the context ends.
func (s *Site) Serve(until context.Context, l net.Listener) error {
	r, err := s.registry()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxAtOnce, Timeout: writeTime,
	}))
	server := &http.Server{
		Handler: mux, MaxHeaderBytes: maxHeader, ReadTimeout: readTime, WriteTimeout: writeTime,
	}
	server.SetKeepAlivesEnabled(false) // else a few clients that stay would keep out the others
	stop := context.AfterFunc(until, func() { _ = server.Close() })
	defer stop()
	if err = server.Serve(&bounded{l, make(chan struct{}, maxConnections)}); until.Err() != nil {
		return nil
	}
	return err
}

// bounded is a listener with at most so many connections at once. Others wait in the kernel's
// queue.
type bounded struct {
	net.Listener
	places chan struct{}
}

// Accept is that of net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	b.places <- struct{}{}
	c, err := b.Listener.Accept()
	leave := sync.OnceFunc(func() { <-b.places })
	if err != nil {
		leave()
		return nil, err
	}
	return &place{c, leave}, nil
}

// place is a connection that frees its place when it is closed.
type place struct {
	net.Conn
	leave func()
}

// Close is that of net.Conn.
func (p *place) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
