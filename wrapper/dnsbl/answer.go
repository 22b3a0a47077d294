package dnsbl

import "net/netip"

// Counts reports whether an address in an answer says that the client is listed. Those of
// 127.0.0.0/8 do (RFC 5782 §2.1), but for what is known to say otherwise: see [Lies].
func Counts(a netip.Addr) bool { return lie(a) == "" }

// Lies reports whether an answer shows that the list does not work, and why: one of the words
// that [Meaning] explains. An empty answer, which says that the client is not listed, does not.
func Lies(addrs []netip.Addr) (why string, lies bool) {
	for _, a := range addrs {
		if why := lie(a); why != "" {
			return why, true
		}
	}
	return "", false
}

// lie is the word for what an address says that is no listing; "" = it is one.
func lie(a netip.Addr) string {
	if !a.Is4() {
		return Sinkhole
	}
	switch b := a.As4(); {
	case b[0] != 127:
		return Sinkhole
	case b == [4]byte{127, 0, 0, 1}:
		return Localhost
	case b[1] != 255 || b[2] != 255:
		return ""
	case b[3] == 252:
		return Misspelt
	case b[3] == 254:
		return PublicResolver
	case b[3] == 255:
		return TooMany
	}
	return ErrorCode
}

// Why a list does not work: one word each, for the ledger and the log.
const (
	Misspelt       = "misspelt"
	PublicResolver = "public-resolver"
	TooMany        = "too-many-queries"
	ErrorCode      = "error-code"
	Localhost      = "localhost"
	Sinkhole       = "sinkhole"

	// Of a test:
	ListsAll  = "lists-all"
	ListsNone = "lists-none"
	NoAnswer  = "no-answer"
	Refused   = "refused"
)

// Meaning says in words why a list does not work, and what to do. It begins like the end of a
// sentence: "zen gives ...". It returns the word itself if it does not know it.
func Meaning(why string) string {
	switch why {
	case Misspelt:
		return "says by 127.255.255.252 that its zone is misspelt; correct the name, or the key"
	case PublicResolver:
		return "says by 127.255.255.254 that it does not answer public resolvers; " +
			"run a resolver of your own, or get a key from the list"
	case TooMany:
		return "says by 127.255.255.255 that it was asked too often; get a key from the list"
	case ErrorCode:
		return "answers with an error, in 127.255.255.0/24; see what the list writes about it"
	case Localhost:
		return "answers 127.0.0.1, which is no listing; " +
			"see what the list writes about it, or whether its domain was given up"
	case Sinkhole:
		return "answers with an address that is not in 127.0.0.0/8; its domain was given up, " +
			"or the resolver answers in its place"
	case ListsAll:
		return "lists 127.0.0.1, and so perhaps everybody; remove it if it was given up"
	case ListsNone:
		return "does not list 127.0.0.2, as every list must; see whether it is one of addresses, " +
			"and whether its key holds"
	case NoAnswer:
		return "does not answer; see whether the resolver can reach it"
	case Refused:
		return "is refused to us; see whether its key holds, and whether the resolver serves us"
	}
	return why
}
