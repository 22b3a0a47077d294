// Package metrics says in numbers, for Prometheus, what the ledger holds and what the configuration
// allows: as text for the textfile collector of node_exporter, or over HTTP.
//
// It only reads. It maps the ledger without the right to write, and takes no lock, so that nothing
// that happens here delays a client. There are fewer than 200 series, and none is of an address.
package metrics
