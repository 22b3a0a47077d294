package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The program that starts for each connection is the whole binary, so everything that is linked
// into it is attack surface, and memory for each of a thousand waiting clients. These two lists
// together are the imports of our packages and of foreign ones in it. The imports of Go's own
// packages follow from that, and change with Go.

// light is what one connection needs.
var light = []string{
	"sendwrap", "sendwrap/allowlist", "sendwrap/exec", "sendwrap/wrapper",
	"sendwrap/wrapper/config", "sendwrap/wrapper/decide", "sendwrap/wrapper/enforce",
	"sendwrap/wrapper/fileaccess", "sendwrap/wrapper/ledger", "sendwrap/wrapper/machine",
	"sendwrap/wrapper/maillog",

	"github.com/hashicorp/errwrap", "github.com/hashicorp/go-multierror",
	"github.com/yl2chen/cidranger",
	"github.com/yl2chen/cidranger/net", "golang.org/x/sys/unix",

	"bytes", "cmp", "encoding/binary", "errors", "fmt", "io", "math", "math/bits", "math/rand/v2",
	"net", "net/netip", "os", "path", "path/filepath", "reflect", "runtime", "runtime/debug",
	"slices", "sort", "strconv", "strings", "sync", "sync/atomic", "syscall", "time", "unicode",
	"unicode/utf8", "unsafe",
}

// debts are the packages in the binary that no connection needs, and why they are there. Their
// number must never grow.
var debts = map[string]string{
	"sendwrap/wrapper/admin":   "the commands are in the same binary",
	"sendwrap/wrapper/compile": "so is the compiler of policies",
	"sendwrap/wrapper/try":     "so is the show",
	"sendwrap/wrapper/guard":   "so is the guard",
	"sendwrap/wrapper/milter":  "the guard's protocol, and that of the show's MTA",
	"sendwrap/wrapper/room":    "so is the room",

	"hash/maphash": "the guard's, for the recipients of a message",

	"bufio":          "the commands, the show, and the guard's protocol",
	"context":        "the show, and the guard's listener",
	"embed":          "the show's sendmail.mc",
	"encoding/json":  "status -json, and what a room hands over to the next program",
	"flag":           "the commands",
	"io/fs":          "the show and the guard",
	"maps":           "the show",
	"os/exec":        "the show",
	"os/signal":      "the room, the guard and the show",
	"os/user":        "guard_listen owner=USER",
	"text/tabwriter": "status and blocks",
}

func TestPerConnectionProgramIsLight(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			t.Setenv("GOARCH", arch)
			linked := map[string]string{module: "itself"} // a package, and one that imports it
			for _, p := range goList(t, "-deps", ".") {
				if p.Standard {
					continue
				}
				for _, imported := range p.Imports {
					linked[imported] = p.ImportPath
				}
			}
			for _, name := range slices.Sorted(maps.Keys(linked)) {
				reason, isDebt := debts[name]
				if isDebt == slices.Contains(light, name) {
					t.Errorf("%s, which %s imports, is linked into the program that starts for "+
						"each connection; do without it, or give it a place in one of the lists",
						name, linked[name])
				}
				if isDebt && reason == "" {
					t.Errorf("%s is a debt without a reason", name)
				}
			}
			for name := range debts {
				if linked[name] == "" {
					t.Errorf("%s is not linked any more; take it off the debts", name)
				}
			}
			for _, name := range light {
				if linked[name] == "" {
					t.Errorf("%s is not linked any more; take it off the list", name)
				}
			}
		})
	}
}

// Nothing heavy comes in by way of Go's own packages either.
func TestNothingHeavyIsLinked(t *testing.T) {
	for _, p := range goList(t, "-deps", ".") {
		for _, heavy := range []string{"net/http", "crypto/tls", "regexp", "text/template",
			"log/slog"} {
			if p.ImportPath == heavy || strings.HasPrefix(p.ImportPath, heavy+"/") {
				t.Errorf("%s is linked into the program that starts for each connection",
					p.ImportPath)
			}
		}
	}
}
