package resolve

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxRecords is how many records of an answer count: the first.
	maxRecords = 32

	// maxChain is how many CNAMEs are followed.
	maxChain = 16

	// maxTTL is the largest there is; what looks larger means 0 (RFC 2181 section 8).
	maxTTL = 1<<31 - 1
)

// reading says what a message is.
type reading uint8

const (
	foreign   reading = iota // no answer to this question
	truncated                // one that has more by TCP
	answered                 // one that counts, or a failure
)

// read understands a message that may be the answer to a question. A message that cannot be
// understood behind its question is a failure of the server.
func read(message []byte, id uint16, q Question) (Answer, reading) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return Answer{}, foreign
	}
	failure := Answer{Result: Failed}
	if h.RCode == dnsmessage.RCodeRefused {
		failure.Result = Refused
	}
	exists := h.RCode == dnsmessage.RCodeSuccess
	failed := !exists && h.RCode != dnsmessage.RCodeNameError
	first, err := p.Question()
	switch {
	case failed && err == dnsmessage.ErrSectionDone:
		return failure, answered // servers may leave out what they could not, or did not, read
	case err != nil || !isQuestion(first, q):
		return Answer{}, foreign
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return Answer{}, foreign
	}
	if failed {
		return failure, answered
	}
	if h.Truncated {
		return Answer{}, truncated
	}
	answer, err := records(p, first.Name, q.Type, exists)
	// A server that knows nothing and asks nobody names others instead.
	isReferral := exists && !h.Authoritative && !h.RecursionAvailable
	if err != nil || answer.Result == NotFound && isReferral {
		return failure, answered
	}
	return answer, answered
}

// isQuestion compares names as DNS does: without case (RFC 4343).
func isQuestion(got dnsmessage.Question, q Question) bool {
	return got.Class == dnsmessage.ClassINET && got.Type == dnsmessage.Type(q.Type) &&
		equalNames(bytesOf(&got.Name), []byte(q.Name+"."))
}

func bytesOf(name *dnsmessage.Name) []byte { return name.Data[:name.Length] }

// equalNames is for ASCII: no other letters are equal without case.
func equalNames(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

var (
	errChain  = errors.New("too many CNAMEs")
	errLength = errors.New("a record of the wrong length")
)

// records reads the answer section, from which p is to read next. Nothing of other names counts but
// that to which CNAMEs lead. exists says that no such name was denied.
func records(p dnsmessage.Parser, name dnsmessage.Name, of Type, exists bool) (a Answer, _ error) {
	ttl := uint32(maxTTL)
	for steps := 0; ; steps++ {
		target, found, err := cname(p, name, &ttl)
		if err != nil {
			return a, err
		}
		if !found {
			break
		}
		if steps == maxChain {
			return a, errChain
		}
		name = target
	}
	a.Result = NotFound
	if exists {
		err := eachAnswer(p, name, dnsmessage.Type(of), func(p dnsmessage.Parser,
			h dnsmessage.ResourceHeader) (bool, error) {
			return a.add(p, h, &ttl)
		})
		if err != nil {
			return Answer{}, err
		}
	}
	if a.Result == NotFound {
		if err := denial(p, &ttl); err != nil {
			return Answer{}, err
		}
	}
	a.TTL = time.Duration(ttl) * time.Second
	return a, nil
}

// cname is the target of the CNAME of a name, if it has one.
func cname(p dnsmessage.Parser, name dnsmessage.Name, ttl *uint32) (target dnsmessage.Name,
	found bool, err error) {
	err = eachAnswer(p, name, dnsmessage.TypeCNAME, func(p dnsmessage.Parser,
		h dnsmessage.ResourceHeader) (bool, error) {
		r, err := p.CNAMEResource()
		if h.Length == 0 { // the name would be read from the next record
			err = errLength
		}
		target, found = r.CNAME, true
		*ttl = min(*ttl, validTTL(h.TTL))
		return false, err
	})
	return target, found, err
}

// eachAnswer calls f with each record of a name and a type, and with a parser that reads it next,
// until f returns false.
func eachAnswer(p dnsmessage.Parser, name dnsmessage.Name, of dnsmessage.Type,
	f func(dnsmessage.Parser, dnsmessage.ResourceHeader) (bool, error)) error {
	for {
		h, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return nil
		}
		if err != nil {
			return err
		}
		here := p
		if err := p.SkipAnswer(); err != nil { // it does not end where the message does
			return err
		}
		if h.Type != of || h.Class != dnsmessage.ClassINET ||
			!equalNames(bytesOf(&h.Name), bytesOf(&name)) {
			continue
		}
		if more, err := f(here, h); !more || err != nil {
			return err
		}
	}
}

// add adds a record, and reports whether there may be more.
func (a *Answer) add(p dnsmessage.Parser, h dnsmessage.ResourceHeader, ttl *uint32) (bool, error) {
	var err error
	length := uint16(0) // of an address
	switch h.Type {
	case dnsmessage.TypeA:
		var r dnsmessage.AResource
		r, err = p.AResource()
		a.Addrs, length = append(a.Addrs, netip.AddrFrom4(r.A)), uint16(len(r.A))
	case dnsmessage.TypeAAAA:
		var r dnsmessage.AAAAResource
		r, err = p.AAAAResource()
		a.Addrs, length = append(a.Addrs, netip.AddrFrom16(r.AAAA)), uint16(len(r.AAAA))
	case dnsmessage.TypePTR:
		if h.Length == 0 {
			return false, errLength
		}
		r, bad := p.PTRResource()
		name := hostName(r.PTR.String())
		if bad != nil || name == "" {
			return true, nil
		}
		a.Names = append(a.Names, name)
	}
	if length > 0 && h.Length != length {
		err = errLength
	}
	a.Result = Found
	*ttl = min(*ttl, validTTL(h.TTL))
	return len(a.Addrs)+len(a.Names) < maxRecords, err
}

// denial finds the SOA record that says how long a name does not exist (RFC 2308 section 5). The
// time is 0 if there is none.
func denial(p dnsmessage.Parser, ttl *uint32) error {
	if err := p.SkipAllAnswers(); err != nil {
		return err
	}
	for {
		h, err := p.AuthorityHeader()
		if err == dnsmessage.ErrSectionDone {
			*ttl = 0
			return nil
		}
		if err != nil {
			return err
		}
		if h.Type == dnsmessage.TypeSOA && h.Class == dnsmessage.ClassINET {
			soa, err := p.SOAResource()
			*ttl = min(*ttl, validTTL(h.TTL), validTTL(soa.MinTTL))
			return err
		}
		if err := p.SkipAuthority(); err != nil {
			return err
		}
	}
}

func validTTL(ttl uint32) uint32 {
	if ttl > maxTTL {
		return 0
	}
	return ttl
}

// hostName is a name without its last dot and in lower case, "" if no host can have it: names of
// PTR records reach log lines and rules.
func hostName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return ""
	}
	low := []byte(name)
	afterDot := true
	for i, c := range low {
		c = lower(c)
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			afterDot = false
		case c == '.' && !afterDot:
			afterDot = true
		default:
			return ""
		}
		low[i] = c
	}
	if afterDot {
		return ""
	}
	return string(low)
}
