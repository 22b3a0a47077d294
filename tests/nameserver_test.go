package tests

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"

	"sendwrap/tests/lab"
)

// A nameserver is one of our own, for what real ones do not do: it holds its answers back, and a
// forger answers before it. A name that it does not know does not exist.
type nameserver struct {
	servers []*dns.Server
	ended   sync.WaitGroup
	forger  *forger // nil: there is none
	records records

	mu    sync.Mutex
	asked map[string]bool // each question, as `NAME. TYPE`
	holds bool
	held  []func() // the answers
}

// nameserver start FILE [FORGED], hold, asked N REGEXP, release
//
// Starts a nameserver at $DNS with the records in FILE, written with whole names. With FORGED a
// forger answers each question first, as if those were the records. `hold` holds all answers back
// until `release`. `asked` waits until N different questions that match have come.
func cmdNameserver(ts *testscript.TestScript, neg bool, args []string) {
	s := scriptOf(ts)
	switch n := s.nameserver; {
	case neg || len(args) == 0:
		ts.Fatalf("usage: nameserver start FILE [FORGED], hold, asked N REGEXP, release")
	case args[0] == "start" && n == nil && len(args) > 1:
		s.nameserver = startNameserver(ts, args[1:])
	case n == nil:
		ts.Fatalf("there is no nameserver; write `nameserver start FILE`")
	case args[0] == "hold":
		n.hold()
	case args[0] == "release":
		n.release()
	case args[0] == "asked" && len(args) == 3:
		want, err := strconv.Atoi(args[1])
		ts.Check(err)
		re, err := regexp.Compile(args[2])
		ts.Check(err)
		if !lab.Await(func() bool { return n.count(re) >= want }) {
			ts.Fatalf("%d such questions have come; want %d: %v", n.count(re), want, n.asked)
		}
	default:
		ts.Fatalf("nameserver %q: unknown", args)
	}
}

// startNameserver starts one that ends with the script.
func startNameserver(ts *testscript.TestScript, files []string) *nameserver {
	n := &nameserver{records: readRecords(ts, files[0]), asked: map[string]bool{}}
	at := net.JoinHostPort(ts.Getenv("DNS"), "53")
	udp, err := net.ListenPacket("udp", at)
	ts.Check(err)
	tcp, err := net.Listen("tcp", at)
	ts.Check(err)
	if len(files) > 1 {
		n.forger = newForger(ts, readRecords(ts, files[1]))
	}
	for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		s.Handler = dns.HandlerFunc(n.handle)
		n.servers = append(n.servers, s)
		n.ended.Go(func() { _ = s.ActivateAndServe() })
	}
	ts.Defer(func() {
		udp.Close()
		tcp.Close()
		n.ended.Wait()
	})
	return n
}

func (n *nameserver) handle(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		return
	}
	answer := func() {
		if n.forger != nil && w.RemoteAddr().Network() == "udp" {
			n.forger.answer(w, q)
		}
		_ = w.WriteMsg(n.records.answer(q))
	}
	n.mu.Lock()
	holds := n.holds
	if holds {
		n.held = append(n.held, answer)
	}
	n.asked[question(q)] = true
	n.mu.Unlock()
	if !holds {
		answer()
	}
}

func (n *nameserver) hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.holds = true
}

func (n *nameserver) release() {
	n.mu.Lock()
	held := n.held
	n.holds, n.held = false, nil
	n.mu.Unlock()
	for _, answer := range held {
		answer()
	}
}

// count is how many different questions match.
func (n *nameserver) count(re *regexp.Regexp) (matching int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for q := range n.asked {
		if re.MatchString(q) {
			matching++
		}
	}
	return matching
}

// records are those of a nameserver, by their question.
type records map[string][]dns.RR

func readRecords(ts *testscript.TestScript, file string) records {
	all := records{}
	for line := range strings.Lines(ts.ReadFile(file)) {
		rr, err := dns.NewRR(line)
		ts.Check(err)
		if rr != nil {
			of := strings.ToLower(rr.Header().Name) + " " + dns.TypeToString[rr.Header().Rrtype]
			all[of] = append(all[of], rr)
		}
	}
	return all
}

func (r records) answer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	if m.Answer = r[question(q)]; m.Answer == nil {
		m.Rcode = dns.RcodeNameError
	}
	return m
}

// question is what is asked, as `NAME. TYPE`.
func question(q *dns.Msg) string {
	return strings.ToLower(q.Question[0].Name) + " " + dns.TypeToString[q.Question[0].Qtype]
}
