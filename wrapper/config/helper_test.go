package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
)

// client is the client of the tests' lists.
var client = netip.MustParseAddr("192.0.2.1")

// write creates a sendwrap.conf in a directory of its own.
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

// load reads a file with this text. In the lines of its errors the file is F.
func load(t testing.TB, text string) (*Config, []string) {
	t.Helper()
	path := write(t, text)
	c, err := Load(path, allowlist.For(client))
	if c == nil {
		t.Fatalf("unreadable: %v", err)
	}
	c.Files, c.Sources, c.lines = nil, nil, nil // of the test, not of the text
	c.listPlaces = listPlaces{}
	return c, errorLines(t, err, path, "F")
}

// errorLines are the lines of an error of Load, compared with its list of *Error, after one text is
// replaced.
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

// setting is a right configuration.
type setting struct {
	name, text string
	want       func(c *Config) // changes the default to it
}

func settings(t *testing.T, tests []setting) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, errs := load(t, tt.text)
			if errs != nil {
				t.Fatalf("%q: %s", tt.text, errs)
			}
			want := Default()
			tt.want(want)
			want.Networks, want.Map = got.Networks, got.Map
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q\n got %+v\nwant %+v", tt.text, got, want)
			}
			readsBack(t, got)
		})
	}
}

// readsBack prints c, reads the text, and expects the same.
func readsBack(t *testing.T, c *Config) {
	t.Helper()
	var text strings.Builder
	if err := c.Write(&text); err != nil {
		t.Fatal(err)
	}
	second, errs := load(t, text.String())
	if errs != nil {
		t.Fatalf("printed:\n%s\nread back: %s", text.String(), errs)
	}
	second.Networks, second.Files, second.lines = c.Networks, c.Files, c.lines
	second.Sources = c.Sources
	if !reflect.DeepEqual(second, c) {
		t.Fatalf("printed:\n%s\nread back as %+v\n    want %+v", text.String(), second, c)
	}
}

// mistake is a configuration with a wrong last line, and the error without its place.
type mistake struct{ text, want string }

func mistakes(t *testing.T, tests []mistake) {
	for _, tt := range tests {
		name, _, _ := strings.Cut(tt.text, "\n")
		t.Run(fmt.Sprintf("%.40s", name), func(t *testing.T) {
			_, errs := load(t, tt.text)
			want := tt.want
			if !strings.HasPrefix(want, "F:") {
				want = "F:1: " + want
			}
			if len(errs) != 1 || errs[0] != want {
				t.Errorf("%.200q\n got %s\nwant %s", tt.text, strings.Join(errs, "\n     "), want)
			}
			if strings.Contains(tt.text, "\n") {
				return // the first line sets something
			}
			setsNothing(t, tt.text)
		})
	}
}

// bound has the least and the most in place of %s, and the next values below and above.
type bound struct{ format, least, most, below, above string }

func bounds(t *testing.T, tests []bound) {
	for _, tt := range tests {
		for _, right := range []string{tt.least, tt.most} {
			text := fmt.Sprintf(tt.format, right)
			c, errs := load(t, text)
			if errs != nil {
				t.Errorf("%s: %s", text, errs)
			}
			readsBack(t, c)
		}
		for _, beyond := range []string{tt.below, tt.above} {
			text := fmt.Sprintf(tt.format, beyond)
			if _, errs := load(t, text); len(errs) != 1 {
				t.Errorf("%s: errors %q; want one", text, errs)
			}
		}
	}
}
