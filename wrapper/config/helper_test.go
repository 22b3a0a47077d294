package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
)

// client is who the tests' lists are made for.
var client = netip.MustParseAddr("192.0.2.1")

// write makes a sendwrap.conf of its own.
func write(t testing.TB, text string) string {
	t.Helper()
	return writeAs(t, filepath.Join(t.TempDir(), "sendwrap.conf"), text)
}

func writeAs(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads a file made of text, and returns its errors as lines in which the file is F.
func load(t testing.TB, text string) (*Config, []string) {
	t.Helper()
	path := write(t, text)
	c, err := Load(path, allowlist.For(client))
	if c == nil {
		t.Fatalf("unreadable: %v", err)
	}
	c.Files, c.lines = nil, nil // of the test, not of the text
	return c, errorLines(t, err, path, "F")
}

// errorLines are the lines of what Load returned, each held against its *Error, with one
// text put in place of another.
func errorLines(t testing.TB, err error, replace, by string) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var all *multierror.Error
	if !errors.As(err, &all) {
		t.Fatalf("error is a %T; want *multierror.Error", err)
	}
	list := strings.Split(err.Error(), "\n")
	if len(list) != len(all.Errors) {
		t.Fatalf("%d errors in %d lines:\n%v", len(all.Errors), len(list), err)
	}
	for i, err := range all.Errors {
		e, ok := err.(*Error)
		if !ok || e.File == "" || e.Msg == "" || e.Hint == "" {
			t.Fatalf("incomplete: %#v", err)
		}
		list[i] = strings.ReplaceAll(list[i], replace, by)
	}
	return list
}
