//go:build !amd64

package main

// callNames is empty: elsewhere the list is left out.
var callNames map[int]string
