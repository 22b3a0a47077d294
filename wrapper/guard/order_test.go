package guard

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/milter"
)

// Commands in an order that no MTA uses. Before the client is known, nothing is counted; a panic
// would end the test.
func TestOutOfOrder(t *testing.T) {
	p := stand(t, rules+"block off\n")
	error3 := macrosOf('R', "{rcpt_mailer}", "error", "{rcpt_host}", "5.1.1",
		"{rcpt_addr}", "550 5.1.1 User unknown")
	authed := macrosOf('M', "{auth_authen}", "somebody", "i", "QUEUE1")
	rcpt, mail := "R<x>\x00", "M<a>\x00"
	for _, c := range []struct {
		name    string
		packets []string
		answers string // the first byte of each; - is the end of the session
	}{
		{"RCPT first", []string{error3, rcpt, error3, rcpt, error3, rcpt, error3, rcpt}, "cccc"},
		{"MAIL first", []string{mail, error3, rcpt, error3, rcpt, error3, rcpt}, "cccc"},
		{"MAIL by an authenticated client first", []string{authed, mail, error3, rcpt}, "cc"},
		{"all else first", []string{"A", "E", "N", "Bx", "Lx\x00y\x00", "T"}, "ccccc"},
		{"ABORT many times", strings.Split(strings.Repeat("A,", 50)+mail, ","), "c"},
		{"negotiation twice", []string{offered, connecting("192.0.2.1", 1), offered, mail}, "OcOc"},
		// the macros of the first are not those of the second
		{"RCPT without MAIL", []string{connecting("192.0.2.1", 1), error3, rcpt, rcpt, error3, rcpt,
			error3, rcpt}, "ccccy"},
		{"CONNECT last", []string{error3, rcpt, error3, rcpt, connecting("192.0.2.1", 1), error3,
			rcpt, error3, rcpt}, "ccccc"},
		{"CONNECT twice", []string{connecting("192.0.2.1", 1), connecting("192.0.2.2", 1)}, "c-"},
		{"CONNECT of a local client, then another",
			[]string{"Clocal\x00L\x00\x00/run/x\x00", connecting("192.0.2.2", 1)}, "ac"},
		{"QUIT", []string{"Q"}, "-"},
		{"QUIT before a new connection, of which no MTA makes use",
			[]string{connecting("192.0.2.1", 1), "K"}, "c-"},
		{"a word of the client's that is no command", []string{"Uxyz\x00"}, "c"},
		{"an unknown command", []string{"Zxyz\x00"}, "-"},
		{"NUL", []string{"\x00"}, "-"},
		{"0xff", []string{"\xff\xff\xff"}, "-"},
		{"CONNECT without an address", []string{"C"}, "-"},
		{"CONNECT with a name alone", []string{"Cx\x00"}, "-"},
		{"CONNECT with a family alone", []string{"Cx\x004"}, "-"},
		{"CONNECT with a port alone", []string{"Cx\x004\x00\x19"}, "a"},
		{"CONNECT with garbage", []string{"C\x00\xff\xff\xff\xff"}, "a"},
		{"CONNECT without NULs", []string{"Cclient.example"}, "-"},
		{"an empty RCPT", []string{connecting("192.0.2.1", 1), mail, "R", error3, "R"}, "cccc"},
		{"empty macros", []string{"D"}, "-"},
		{"macros of nothing", []string{"DR", rcpt}, "c"},
		{"a macro without a value", []string{"DR{rcpt_mailer}", rcpt, "DR{rcpt_mailer}\x00", rcpt,
			"DR\x00\x00\x00", rcpt}, "ccc"},
		{"an odd number of macros", []string{connecting("192.0.2.1", 1), mail,
			"DRi\x00Q1\x00{rcpt_mailer}", rcpt}, "ccc"},
		{"macros of another stage", []string{connecting("192.0.2.1", 1), mail,
			"DX{rcpt_mailer}\x00error\x00{rcpt_host}\x005.1.1\x00", rcpt}, "ccc"},
		{"thousands of macros", []string{manyMacros(), rcpt,
			"DR" + strings.Repeat("\x00", milter.MaxPacket-2), rcpt,
			"DR" + strings.Repeat("x", milter.MaxPacket-2), rcpt}, "ccc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := p.mta()
			m.t = t
			var got strings.Builder
			for _, packet := range c.packets {
				if m.send(packet); !answered(packet) {
					continue
				}
				answer := m.answer()
				got.WriteString((answer + "-")[:1])
				if answer == "" {
					break
				}
			}
			if got.String() != c.answers {
				t.Errorf("answers %q; want %q", got.String(), c.answers)
			}
		})
	}
}

// answered reports whether an MTA waits for an answer to a packet.
func answered(packet string) bool {
	return packet == "" || packet == "D" || !strings.Contains("ADH", packet[:1])
}

func manyMacros() string {
	var b strings.Builder
	b.WriteString("DR")
	for n := 0; b.Len() < milter.MaxPacket-10; n++ {
		fmt.Fprintf(&b, "%d\x00\x00", n)
	}
	return b.String()
}

// After the limit each command that a client can make its MTA ask about gets 421, and no message
// goes through: some hundred random sessions.
func TestNeverAgain(t *testing.T) {
	const sessions = 250
	p := stand(t, rules+"max_resets 3\nmax_rcpts 2\n")
	for n := range sessions {
		seed := uint64(n)
		r := rand.New(rand.NewPCG(seed, 1))
		m := p.mta()
		addr := fmt.Sprintf("192.0.%d.%d", n/250, n%250)
		m.want("c", m.connect(addr, 40000))
		for over, i := false, 0; i < 30; i++ {
			answers := m.random(r)
			for _, a := range answers {
				ends := strings.HasPrefix(a, "y421 ")
				if over && !ends {
					t.Fatalf("seed %d, step %d: %q after the limit", seed, i, a)
				}
				over = over || ends
			}
		}
		m.Close()
	}
	if n := p.count(int(decide.BadRcpts)) + p.count(int(decide.Resets)); n < sessions/2 {
		t.Errorf("only %d of %d sessions came to the limit", n, sessions)
	}
}

// random does something that a client may make its MTA do.
func (m *mta) random(r *rand.Rand) []string {
	switch r.IntN(10) {
	case 0:
		return []string{m.mail()}
	case 1:
		return []string{m.mail("{auth_authen}", "")}
	case 2:
		m.rset()
		return nil
	case 3:
		m.send("Hagain\x00")
		return nil
	case 4:
		return []string{m.good("alice"), m.end()}
	case 5, 6:
		return []string{m.good("bob")}
	case 7:
		return []string{m.busy("carol")}
	case 8:
		return []string{m.ask("R<no macros>\x00")}
	}
	return []string{m.bad("nobody")}
}

// HELO gets the final answer, too, from an MTA that waits for one.
func TestHeloIsOver(t *testing.T) {
	p := stand(t, rules)
	m := p.dial()
	protocol := 0x7f | uint32(needed)
	m.want("O", m.ask("O"+string(length(2))+string(length(0x3f))+string(length(protocol))))
	m.want("c", m.connect("192.0.2.1", 1))
	m.want("c", m.ask("Hx\x00"))
	m.want("c", m.mail())
	m.want("c", m.good("alice"))
	for range 2 {
		m.want("c", m.bad("x"))
	}
	m.want("y421 4.7.0 ", m.bad("x"))
	m.want("y421 4.7.0 ", m.ask("Hx\x00"))
	m.want("y421 4.7.0 ", m.end())
	m.want("y421 4.7.0 ", m.mail("{auth_authen}", "somebody")) // too late
	m.want("y421 4.7.0 ", m.good("alice"))
}

// No more of a client's text is kept than the log shows.
func TestLongHelo(t *testing.T) {
	const sessions, long = 300, 15 << 10
	p := stand(t, rules)
	before := inUse()
	for range sessions {
		m := p.mta()
		m.connect("192.0.2.1", 1)
		m.send("H" + strings.Repeat("x", long) + "\x00")
		m.send(macrosOf('M', "i", "QUEUE1", "x", strings.Repeat("x", long)))
		m.want("c", m.ask("M"+strings.Repeat("x", long)))
		m.send(macrosOf('R', "{rcpt_mailer}", "local", "x", strings.Repeat("x", long)))
		m.want("c", m.ask("R"+strings.Repeat("x", long)))
	}
	if each := int64(inUse()-before) / sessions; each > long { // other tests' memory may be freed
		t.Errorf("%d bytes a session", each)
	}
}

// No packets after the negotiation cause a panic, a session that stays, or memory that grows.
func FuzzProtocol(f *testing.F) {
	p := stand(f, rules+"transcript "+f.TempDir()+"\n")
	f.Add(true, []byte(manyMacros()+between+"R")) // the others are in testdata
	n, used := 0, uint64(0)
	f.Fuzz(func(t *testing.T, packets bool, bytes []byte) {
		if packets {
			bytes = framed(strings.Split(string(bytes), between))
		}
		m := dial(t, "unix", p.socket).negotiate()
		go func() {
			m.raw(bytes)
			m.raw(frame("Q"))
			m.closeWrite()
		}()
		for m.answer() != "" {
		}
		m.Close()
		p.panicked(t)
		p.book.Forget() // or the memory that grows would be the test's own
		if n++; n%1000 == 0 {
			lab.Eventually(t, "all goroutines end", func() bool { return goroutines() == 0 })
			if n == 1000 {
				used = inUse()
			}
			// Go's fuzzer takes 50 MB for itself, in each of its processes when it first changes
			// bytes there.
			if now := inUse(); now > used+80<<20 {
				t.Errorf("%d bytes in use, %d after the first thousand sessions", now, used)
			}
		}
	})
}

// between separates packets in the fuzzed input, since random lengths are seldom right.
const between = "\xff\xfe"

func framed(packets []string) (all []byte) {
	for _, packet := range packets {
		all = append(all, frame(packet)...)
	}
	return all
}

// inUse is the memory of all live objects.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// closeWrite ends what the MTA sends.
func (m *mta) closeWrite() {
	if c, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}
