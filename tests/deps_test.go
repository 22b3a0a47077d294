package tests

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "sendwrap"

// mayImport is the layout: which of our packages each of our packages may import. Imports run down
// only.
var mayImport = map[string][]string{
	"allowlist":            {"allowlist/rule"},
	"allowlist/rule":       {},
	"exec":                 {"wrapper/fileaccess"},
	"exec/stack":           {},
	"wrapper/ledger":       {"wrapper/fileaccess", "wrapper/siphash"},
	"wrapper/maillog":      {},
	"wrapper/machine":      {},
	"wrapper/fileaccess":   {},
	"wrapper/dnsbl":        {},
	"wrapper/resolve":      {},
	"wrapper/siphash":      {},
	"wrapper/surroundings": {},
	"wrapper/setup": {
		"wrapper/config", "wrapper/fileaccess", "wrapper/policy", "wrapper/surroundings",
	},
	"wrapper/spelling": {},
	"wrapper/access":   {"allowlist/rule", "wrapper/spelling"},
	"wrapper/policy": {
		"allowlist/rule", "wrapper/dnsbl", "wrapper/fileaccess", "wrapper/siphash",
	},
	"wrapper/config": {
		"allowlist", "allowlist/rule", "wrapper/access", "wrapper/dnsbl", "wrapper/fileaccess",
		"wrapper/policy", "wrapper/spelling",
	},
	"wrapper/compile": {
		"allowlist", "allowlist/rule", "wrapper/access", "wrapper/config", "wrapper/fileaccess",
		"wrapper/policy",
	},
	"wrapper/lookup": {"wrapper/dnsbl", "wrapper/resolve"},
	"wrapper/decide": {"allowlist/rule", "wrapper/dnsbl", "wrapper/policy", "wrapper/ledger"},
	"wrapper": {
		"allowlist/rule", "wrapper/decide", "wrapper/dnsbl", "wrapper/ledger", "wrapper/lookup",
		"wrapper/machine", "wrapper/maillog", "wrapper/policy", "wrapper/resolve",
	},
	"wrapper/reload": {"allowlist", "wrapper", "wrapper/config", "wrapper/maillog"},
	"wrapper/enforce": {
		"allowlist/rule", "exec", "wrapper/config", "wrapper/ledger", "wrapper/machine",
		"wrapper/maillog", "wrapper/policy",
	},
	"wrapper/milter":   {},
	"wrapper/loglines": {"wrapper/decide"},
	"wrapper/replay": {
		"allowlist/rule", "wrapper", "wrapper/config", "wrapper/decide", "wrapper/dnsbl",
		"wrapper/ledger", "wrapper/loglines", "wrapper/lookup", "wrapper/maillog",
		"wrapper/policy",
	},
	"wrapper/report": {"allowlist/rule", "wrapper/decide", "wrapper/loglines", "wrapper/policy"},
	"wrapper/try": {
		"allowlist", "allowlist/rule", "wrapper", "wrapper/config", "wrapper/decide",
		"wrapper/dnsbl", "wrapper/ledger", "wrapper/milter", "wrapper/policy",
	},
	"wrapper/room": {
		"allowlist", "exec", "wrapper", "wrapper/config", "wrapper/decide", "wrapper/enforce",
		"wrapper/ledger", "wrapper/maillog", "wrapper/policy", "wrapper/reload",
	},
	"wrapper/guard": {
		"allowlist/rule", "exec", "wrapper", "wrapper/config", "wrapper/decide",
		"wrapper/enforce", "wrapper/fileaccess", "wrapper/ledger", "wrapper/maillog",
		"wrapper/milter", "wrapper/policy", "wrapper/reload",
	},
	"wrapper/outside": {"allowlist", "wrapper/config", "wrapper/ledger"},
	"wrapper/top": {
		"allowlist", "wrapper/config", "wrapper/decide", "wrapper/ledger", "wrapper/outside",
		"wrapper/policy",
	},
	"wrapper/share": {
		"allowlist/rule", "wrapper", "wrapper/config", "wrapper/enforce", "wrapper/fileaccess",
		"wrapper/ledger", "wrapper/machine", "wrapper/maillog", "wrapper/policy",
		"wrapper/reload", "wrapper/share/wire",
	},
	"wrapper/share/wire":    {"wrapper/config"},
	"wrapper/share/courier": {"wrapper/share/wire"},
	"wrapper/metrics": {
		"allowlist", "wrapper", "wrapper/config", "wrapper/decide", "wrapper/ledger",
		"wrapper/outside", "wrapper/policy",
	},
	"wrapper/firewall": {"exec"},
	"wrapper/doctor": {
		"allowlist/rule", "exec", "wrapper", "wrapper/config", "wrapper/firewall",
		"wrapper/ledger", "wrapper/maillog", "wrapper/policy", "wrapper/resolve",
		"wrapper/surroundings",
	},
	"wrapper/admin": {
		"allowlist", "allowlist/rule", "exec", "wrapper", "wrapper/access", "wrapper/compile",
		"wrapper/config", "wrapper/decide", "wrapper/dnsbl", "wrapper/doctor", "wrapper/enforce",
		"wrapper/fileaccess", "wrapper/firewall", "wrapper/guard", "wrapper/ledger",
		"wrapper/lookup", "wrapper/maillog", "wrapper/policy", "wrapper/resolve",
		"wrapper/spelling", "wrapper/surroundings", "wrapper/try",
	},
	"": {
		"allowlist", "exec", "wrapper", "wrapper/admin", "wrapper/compile", "wrapper/config",
		"wrapper/enforce", "wrapper/guard", "wrapper/maillog", "wrapper/policy", "wrapper/room",
		"wrapper/share", "wrapper/share/courier", "wrapper/share/wire",
	},
	"packaging":   {},
	"tests":       {},
	"tests/lab":   {},
	"tests/room":  {},
	"tests/guard": {},
	"tests/share": {},
	"tests/sbom":  {},
	"tests/bench": {"tests/lab", "wrapper/ledger"},
}

// onlyIn names the packages that may import something of others; nil is all.
var onlyIn = map[string][]string{
	"golang.org/x/sys":                   nil,
	"golang.org/x/net/dns/dnsmessage":    {"wrapper/resolve", "wrapper/try"},
	"github.com/yl2chen/cidranger":       {"allowlist"},
	"github.com/hashicorp/go-multierror": {"wrapper/config", "wrapper/admin"},
	"github.com/prometheus":              {"wrapper/metrics"},
	"github.com/gdamore/tcell":           {"wrapper/top"},
	"github.com/klauspost/compress":      {"wrapper/loglines"},
	"github.com/therootcompany/xz":       {"wrapper/loglines"},
	"github.com/valkey-io/valkey-go":     {"wrapper/share/courier"},
	"github.com/rogpeppe/go-internal":    {"tests"},
	"github.com/emersion/go-milter":      {},            // tests hold our protocol against it
	"github.com/miekg/dns":               {"tests/lab"}, // for its DNS servers
}

// aPackage is what `go list -json` says of one.
type aPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// short is the import path below the module's; "" is main.go's.
func (p aPackage) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func ourPackages(t *testing.T) []aPackage { return goList(t, "./...") }

// goList is what go list says with these arguments, for the sendwrap that is installed: without
// cgo.
func goList(t *testing.T, args ...string) (list []aPackage) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports"},
		args...)...)
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p aPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 2 {
		t.Fatalf("%v names %d packages", cmd, len(list))
	}
	return list
}

func TestImportsRunDown(t *testing.T) {
	for _, p := range ourPackages(t) {
		allowed, ok := mayImport[p.short()]
		if !ok {
			t.Errorf("package %s has no place in the layout; give it one in mayImport",
				p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if name := strings.TrimPrefix(imported, module+"/"); !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestImportsOfOthers(t *testing.T) {
	for _, p := range ourPackages(t) {
		for _, path := range p.Imports {
			if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
				continue // the standard library's
			}
			named := false
			for other, users := range onlyIn {
				if path == other || strings.HasPrefix(path, other+"/") {
					named = true
					if users != nil && !slices.Contains(users, p.short()) {
						t.Errorf("%s imports %s, which is for %q", p.ImportPath, path, users)
					}
				}
			}
			if !named {
				t.Errorf("%s imports %s, a dependency that nobody has given a reason for",
					p.ImportPath, path)
			}
		}
	}
}
