package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Everything that is linked into the program that starts for each connection is attack surface, and
// memory for each of a thousand waiting clients. These lists are the imports of our packages and of
// foreign ones in it. The imports of Go's own packages follow from that, and change with Go:
// golang.org/x/sys/unix imports encoding/binary, and that has reflect in any case.

// inDoor is what the door has.
var inDoor = []string{
	"sendwrap", "sendwrap/allowlist/rule", "sendwrap/exec", "sendwrap/exec/stack",
	"sendwrap/wrapper",
	"sendwrap/wrapper/decide", "sendwrap/wrapper/dnsbl", "sendwrap/wrapper/fileaccess",
	"sendwrap/wrapper/ledger",
	"sendwrap/wrapper/lookup",
	"sendwrap/wrapper/machine", "sendwrap/wrapper/maillog", "sendwrap/wrapper/policy",
	"sendwrap/wrapper/resolve", "sendwrap/wrapper/siphash",

	"golang.org/x/net/dns/dnsmessage", "golang.org/x/sys/unix",

	"bytes", "cmp", "encoding/binary", "errors", "io", "io/fs", "math", "math/bits", "net/netip",
	"os", "path/filepath", "runtime", "slices", "sort", "strconv", "strings", "sync",
	"sync/atomic", "syscall", "time", "unsafe",
}

// neverInDoor must not come in by way of Go's own packages either, nor what is below them.
var neverInDoor = []string{
	"crypto", "encoding/json", "flag", "fmt", "log", "net", "os/exec", "os/signal", "regexp",
	"text/template",
	"github.com", "sendwrap/allowlist", "sendwrap/wrapper/admin", "sendwrap/wrapper/config",
	"sendwrap/wrapper/enforce", "sendwrap/wrapper/guard", "sendwrap/wrapper/milter",
	"sendwrap/wrapper/room", "sendwrap/wrapper/try",
}

// butInDoor are below those, and in the door.
var butInDoor = []string{"net/netip", "sendwrap/allowlist/rule"}

func TestDoorIsLight(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			t.Setenv("GOARCH", arch)
			all := goList(t, "-deps", "-tags=door", ".")
			linked := imported(all)
			for _, name := range slices.Sorted(maps.Keys(linked)) {
				if !slices.Contains(inDoor, name) {
					t.Errorf("%s, which %s imports, is linked into the door; do without it", name,
						linked[name])
				}
			}
			for _, name := range inDoor {
				if linked[name] == "" {
					t.Errorf("%s is not linked into the door any more; take it off the list", name)
				}
			}
			for _, p := range all {
				for _, heavy := range neverInDoor {
					if isBelow(p.ImportPath, heavy) && !slices.Contains(butInDoor, p.ImportPath) {
						t.Errorf("%s is linked into the door", p.ImportPath)
					}
				}
			}
		})
	}
}

// imported are the packages that one outside Go's own imports, each with the name of one that does.
func imported(all []aPackage) map[string]string {
	by := map[string]string{module: "itself"}
	for _, p := range all {
		if p.Standard {
			continue
		}
		for _, name := range p.Imports {
			by[name] = p.ImportPath
		}
	}
	return by
}

func isBelow(name, top string) bool { return name == top || strings.HasPrefix(name, top+"/") }

// light is what the full program needs to serve a connection: one that the door leaves to it, or
// any where there is no door.
var light = []string{
	"sendwrap", "sendwrap/allowlist", "sendwrap/allowlist/rule", "sendwrap/exec",
	"sendwrap/wrapper", "sendwrap/wrapper/access",
	"sendwrap/wrapper/compile", "sendwrap/wrapper/config",
	"sendwrap/wrapper/decide", "sendwrap/wrapper/dnsbl", "sendwrap/wrapper/enforce",
	"sendwrap/wrapper/fileaccess",
	"sendwrap/wrapper/ledger", "sendwrap/wrapper/lookup", "sendwrap/wrapper/machine",
	"sendwrap/wrapper/maillog", "sendwrap/wrapper/policy", "sendwrap/wrapper/resolve",
	"sendwrap/wrapper/siphash", "sendwrap/wrapper/spelling",

	"github.com/hashicorp/errwrap", "github.com/hashicorp/go-multierror",
	"github.com/yl2chen/cidranger",
	"github.com/yl2chen/cidranger/net", "golang.org/x/net/dns/dnsmessage",
	"golang.org/x/sys/unix",

	"bytes", "cmp", "encoding/binary", "errors", "fmt", "io", "math", "math/bits", "math/rand/v2",
	"net", "net/netip", "os", "path", "path/filepath", "reflect", "runtime", "runtime/debug",
	"slices", "sort", "strconv", "strings", "sync", "sync/atomic", "syscall", "time", "unicode",
	"unicode/utf8", "unsafe",
}

// debts are the packages in the full program that no connection needs, and why they are there.
// Their number must never grow.
var debts = map[string]string{
	"sendwrap/wrapper/admin": "the commands are in the same binary",
	"sendwrap/wrapper/try":   "so is the show",

	"sendwrap/wrapper/doctor":       "so are the doctor, which check asks, too",
	"sendwrap/wrapper/surroundings": "and what it looks at",
	"sendwrap/wrapper/firewall":     "and nft, for commands",

	"sendwrap/wrapper/guard":  "so is the guard",
	"sendwrap/wrapper/milter": "the guard's protocol, and that of the show's MTA",
	"sendwrap/wrapper/room":   "so is the room",
	"sendwrap/wrapper/reload": "room and guard read their configuration again",

	"sendwrap/wrapper/share":      "the member of several machines is in the same binary",
	"sendwrap/wrapper/share/wire": "so is what it says to its courier",

	"hash/maphash": "the guard's, for the recipients of a message",

	"bufio":          "the commands, the show, and the guard's protocol",
	"context":        "the show, and the guard's listener",
	"embed":          "the show's sendmail.mc",
	"encoding/json":  "status -json, and what a room hands over to the next program",
	"flag":           "the commands",
	"io/fs":          "the show and the guard",
	"maps":           "the show",
	"os/exec":        "the show, and the courier of several machines",
	"os/signal":      "the room, the guard and the show",
	"os/user":        "guard_listen owner=USER",
	"text/tabwriter": "status and blocks",
}

func TestFullProgramIsLight(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			t.Setenv("GOARCH", arch)
			linked := imported(goList(t, "-deps", "."))
			for _, name := range slices.Sorted(maps.Keys(linked)) {
				reason, isDebt := debts[name]
				if isDebt == slices.Contains(light, name) {
					t.Errorf("%s, which %s imports, is linked into the full program; "+
						"do without it, or give it a place in one of the lists",
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
			if isBelow(p.ImportPath, heavy) {
				t.Errorf("%s is linked into the full program", p.ImportPath)
			}
		}
	}
}
