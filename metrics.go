//go:build metrics

// See main.go.
//
//go:debug updatemaxprocs=0

// The metrics program says in numbers what the ledger holds. It is a program of its own, which
// `sendwrap metrics` becomes: what speaks HTTP is not linked into those that serve clients.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/metrics"
)

const usage = `usage: sendwrap metrics [-f FILE] [-listen ADDRESS]
       print numbers for Prometheus; -listen: serve them over HTTP at ADDRESS, 127.0.0.1:9725 say
`

// Exit statuses, as those of the other commands.
const (
	exitOK        = 0
	exitUsage     = 100
	exitTemporary = 111
)

func main() { os.Exit(run(os.Args[1:])) }

// run prints the metrics, or serves them until a signal comes.
func run(args []string) int {
	flags := flag.NewFlagSet("metrics", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("f", config.DefaultPath, "")
	address := flags.String("listen", "", "")
	err := flags.Parse(args)
	if err == flag.ErrHelp {
		fmt.Print(usage)
		return exitOK
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if _, _, e := net.SplitHostPort(*address); err == nil && e != nil && *address != "" {
		err = fmt.Errorf("%q is not an address with a port; write 127.0.0.1:9725", *address)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap metrics: %v\n%s", err, usage)
		return exitUsage
	}
	site, err := metrics.Open(*file)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap: %v\n", err)
		return exitUsage
	}
	defer site.Close()
	if *address == "" {
		err = site.WriteText(os.Stdout)
	} else {
		err = serve(site, *address)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sendwrap metrics: %v\n", err)
		return exitTemporary
	}
	return exitOK
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
