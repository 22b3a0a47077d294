//go:build view

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"sendwrap/wrapper/admin"
	"sendwrap/wrapper/metrics"
)

// showMetrics prints what the ledger holds in numbers, or serves it until a signal comes.
func showMetrics(args []string) int {
	flags := flag.NewFlagSet("metrics", flag.ContinueOnError)
	address := flags.String("listen", "", "")
	file, _, status, ok := admin.Parse(flags, args, 0, 0)
	if !ok {
		return status
	}
	if _, _, err := net.SplitHostPort(*address); err != nil && *address != "" {
		return admin.Exit("metrics", admin.UsageError(
			fmt.Sprintf("%q is not an address with a port; write 127.0.0.1:9725", *address)))
	}
	site, err := metrics.Open(file)
	if err != nil {
		return unreadable(err)
	}
	defer site.Close()
	if *address == "" {
		return admin.Exit("metrics", site.WriteText(os.Stdout))
	}
	return admin.Exit("metrics", serve(site, *address))
}

func serve(site *metrics.Site, address string) error {
	until, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "sendwrap metrics: listening on %v\n", l.Addr())
	return site.Serve(until, l)
}
