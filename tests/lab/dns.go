package lab

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// A DNSSite is DNS for a test: a resolver, unbound, and the servers that it asks. Those are
// rbldnsd, with lists, and unbound itself, with zones. Whatever neither has does not exist.
//
// Dir holds what they serve. ZONE.ip4set is a list, and so is ZONE with any other type of rbldnsd;
// it needs no $SOA. ZONE.zone is a zone file without $ORIGIN, $TTL, SOA and NS.
type DNSSite struct {
	Dir string
	At  netip.Addr
}

// A DNSServer is one of a site's two.
type DNSServer struct {
	Argv []string
	At   netip.AddrPort
	Log  string // the file to which its output must be appended: a line for each query
}

// ListsPort is rbldnsd's port. unbound has the usual one.
const ListsPort = 5353

// NoDNS says what the machine lacks for a DNSSite; "" is nothing.
func NoDNS() string {
	return cmp.Or(NotUnpacked("rbldnsd", "unbound"), Lack("/usr/lib/*/libevent-2.1.so.7",
		"/usr/lib/*/libnghttp2.so.14", "/usr/lib/*/libprotobuf-c.so.1",
		"/usr/lib/*/libpython3.11.so.1.0", "/usr/lib/*/libssl.so.3"))
}

// Lists is rbldnsd, with the lists that are in Dir now. It reads them again at SIGHUP.
func (s DNSSite) Lists() (DNSServer, error) {
	_, datasets, err := s.files()
	if err != nil {
		return DNSServer{}, err
	}
	argv := []string{Unpacked("rbldnsd/usr/sbin/rbldnsd"), "-n", "-c", "0", "-u", "nobody",
		"-w", s.Dir, "-b", fmt.Sprintf("%v/%d", s.At, ListsPort), "-l", "+-"}
	if len(datasets) == 0 { // it does not start without any
		argv = append(argv, "none.invalid:ip4set:/dev/null")
	}
	for _, file := range datasets {
		zone, kind := stem(file)
		made, err := s.head(file, "$SOA", listHead)
		if err != nil {
			return DNSServer{}, err
		}
		argv = append(argv, zone+":"+kind+":"+made)
	}
	return DNSServer{argv, netip.AddrPortFrom(s.At, ListsPort), filepath.Join(s.Dir, "lists.log")},
		nil
}

// Resolver is unbound. It asks Lists for the zones of the lists that are in Dir now.
func (s DNSSite) Resolver() (DNSServer, error) {
	zones, datasets, err := s.files()
	if err != nil {
		return DNSServer{}, err
	}
	conf := fmt.Sprintf(resolverConf, s.Dir, s.At)
	for _, zone := range builtIn {
		conf += fmt.Sprintf("\tlocal-zone: %q nodefault\n", zone)
	}
	conf += authority(".", rootZone)
	err = os.WriteFile(filepath.Join(s.Dir, rootZone), []byte(rootText), 0o644)
	for _, file := range zones {
		zone, _ := stem(file)
		made, failed := s.head(file, "SOA", "$ORIGIN "+zone+".\n"+zoneHead)
		conf += authority(zone, made)
		err = errors.Join(err, failed)
	}
	served := map[string]bool{}
	for _, file := range datasets {
		if zone, _ := stem(file); !served[zone] {
			served[zone] = true
			conf += fmt.Sprintf("stub-zone:\n\tname: %q\n\tstub-addr: %v@%d\n", zone, s.At,
				ListsPort)
		}
	}
	name := filepath.Join(s.Dir, "unbound.conf")
	err = errors.Join(err, os.WriteFile(name, []byte(conf), 0o644))
	return DNSServer{[]string{Unpacked("unbound/usr/sbin/unbound"), "-d", "-c", name},
		netip.AddrPortFrom(s.At, 53), filepath.Join(s.Dir, "resolver.log")}, err
}

// files are the names of all zones and lists in Dir.
func (s DNSSite) files() (zones, datasets []string, err error) {
	entries, err := os.ReadDir(s.Dir)
	for _, e := range entries {
		switch _, kind := stem(e.Name()); kind {
		case "zone":
			zones = append(zones, e.Name())
		case "ip4set", "ip4tset", "ip4trie", "ip6tset", "ip6trie", "dnset", "generic", "combined":
			datasets = append(datasets, e.Name())
		}
	}
	return zones, datasets, err
}

// stem splits ZONE.KIND.
func stem(file string) (zone, kind string) {
	i := strings.LastIndexByte(file, '.')
	return file[:max(i, 0)], file[i+1:]
}

// head makes a copy of a file that begins with these lines, unless it has its own. It returns the
// copy's name.
func (s DNSSite) head(file, unless, lines string) (made string, err error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, file))
	if !strings.Contains(string(text), unless) {
		text = append([]byte(lines), text...)
	}
	made = file + ".served"
	return made, errors.Join(err, os.WriteFile(filepath.Join(s.Dir, made), text, 0o644))
}

func authority(zone, file string) string {
	return fmt.Sprintf("auth-zone:\n\tname: %q\n\tzonefile: %q\n\tfor-downstream: no\n", zone, file)
}

const (
	listHead = "$SOA 60 ns.invalid hostmaster.invalid 1 3600 600 86400 60\n$TTL 300\n"
	zoneHead = "$TTL 300\n@ SOA . . 1 3600 600 86400 60\n@ NS ns.invalid.\n"

	// The root that unbound knows, instead of the Internet's: nothing is below it.
	rootZone = "the.root"
	rootText = "$ORIGIN .\n" + zoneHead
)

// builtIn are zones that unbound would answer for by itself.
var builtIn = []string{
	"test.", "localhost.", "127.in-addr.arpa.",
	"2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa.",
	"8.b.d.0.1.0.0.2.ip6.arpa.",
}

// One thread has one queue, so that its log has the order in which queries came.
const resolverConf = `remote-control:
	control-enable: no
server:
	directory: %q
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	log-queries: yes
	interface: %v
	access-control: 0.0.0.0/0 allow
	do-not-query-localhost: no
	qname-minimisation: no
	module-config: "iterator"
	num-threads: 1
	so-rcvbuf: 4m
	outgoing-range: 8192
	num-queries-per-thread: 4096
`

// marks counts the queries of Queries.
var marks atomic.Int64

// Queries returns the lines of the server's log that are queries, all that have come before. It
// asks for a name of its own until that is logged, so it also waits until a new server answers. It
// needs the network of the calling thread.
func (s DNSServer) Queries() ([]string, error) {
	mine := fmt.Sprintf("mark-%d-%d.invalid", os.Getpid(), marks.Add(1))
	conn, err := net.Dial("udp", s.At.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	question := dnsQuestion(mine)
	var text []byte
	next := time.Now()
	if !Await(func() bool {
		if now := time.Now(); now.After(next) { // the first may have been lost
			_, _ = conn.Write(question)
			next = now.Add(100 * time.Millisecond)
		}
		text, err = os.ReadFile(s.Log)
		return strings.Contains(string(text), mine)
	}) {
		return nil, fmt.Errorf("%s at %v does not answer within %v: %w\n%s", s.Argv[0], s.At,
			Patience, err, text)
	}
	var queries []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " IN") && !strings.Contains(line, " mark-") {
			queries = append(queries, strings.TrimSuffix(line, "\n"))
		}
	}
	return queries, nil
}

// dnsQuestion is a query for an IPv4 address of that name (RFC 1035 §4.1).
func dnsQuestion(name string) []byte {
	const recursionDesired = 1
	query := []byte{'l', 'b', recursionDesired, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, label := range strings.Split(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	return append(query, 0, 0, 1, 0, 1)
}
