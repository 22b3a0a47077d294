package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// Share says what is shared with other machines, and by what. No policy holds it: it concerns no
// client.
type Share struct {
	Engines  []Engine // none: nothing is shared
	User     string   // "" = the engine's default user
	Password string   // file, or ""
	CA       string   // file, or "" for the system's
	Master   string   // as Sentinel calls it: the engines are Sentinels. Else several are a Cluster
	Name     string   // of this machine; "" = its host name
	Prefix   string   // of all keys
	What     Shared
	From     []string  // machines whose word is taken; nil = all
	Limit    rule.Rate // blocks that begin or end here because of others
}

// Engine is a server of Valkey or Redis.
type Engine struct {
	Network string // "tcp" or "unix"
	Address string
	TLS     bool
	DB      int
}

// Shared is what is shared.
type Shared uint8

// What can be shared, in the order in which it is printed.
const (
	ShareBlocks Shared = 1 << iota
	ShareKnown
	ShareBadRcpts
)

var sharedNames = []string{"blocks", "known", "badrcpts"}

const (
	enginePort   = 6379
	maxEngines   = 16
	maxDB        = 1 << 15
	maxFrom      = 124 // as many machines as the ledger knows
	maxPrefix    = 64
	maxShareName = 32
	maxSharing   = 100_000
)

func defaultShare() Share {
	return Share{Prefix: "sendwrap", What: ShareBlocks | ShareKnown | ShareBadRcpts,
		Limit: rule.Rate{N: 1000, Per: time.Minute}}
}

// engineSchemes are the beginnings of a URL, with what they mean.
var engineSchemes = map[string]Engine{
	"valkey": {Network: tcpNetwork}, "redis": {Network: tcpNetwork},
	"valkeys": {Network: tcpNetwork, TLS: true}, "rediss": {Network: tcpNetwork, TLS: true},
	"unix": {Network: unixNetwork},
}

var engineKeys = []string{"user", "password", "ca", "master"}

func setShareEngine(c *Config, args []string) error {
	s := c.Share
	s.Engines, s.User, s.Password, s.CA, s.Master = nil, "", "", "", ""
	urls := args
	if i := slices.IndexFunc(args, isPair); i >= 0 {
		urls = args[:i]
	}
	if len(args) == 1 && args[0] == off {
		c.Share = s
		return nil
	}
	for _, url := range urls {
		e, err := parseEngine(url)
		if err != nil {
			return err
		}
		if slices.Contains(s.Engines, e) {
			return newError("keep one", "%s is given twice", quoted(url))
		}
		s.Engines = append(s.Engines, e)
	}
	if _, err := readPairs(args[len(urls):], engineKeys, func(key, value string) error {
		return setEngineKey(&s, key, value)
	}); err != nil {
		return err
	}
	if err := s.checkEngines(); err != nil {
		return err
	}
	c.Share = s
	return nil
}

// isPair reports whether a word is KEY=VALUE, and no URL.
func isPair(word string) bool {
	key, _, found := strings.Cut(word, "=")
	return found && !strings.Contains(key, ":")
}

func setEngineKey(s *Share, key, value string) error {
	switch key {
	case "user":
		s.User = value
	case "password":
		s.Password = value
		return checkAbsolute(value)
	case "ca":
		s.CA = value
		return checkAbsolute(value)
	case "master":
		s.Master = value
	}
	if value == "" || len(value) > maxPrefix || strings.ContainsFunc(value, isUnprintable) {
		return newError("write "+key+"=NAME", "%s is no name", quoted(value))
	}
	return nil
}

func isUnprintable(r rune) bool { return r <= ' ' || r > '~' }

// checkEngines says what is wrong with them together.
func (s *Share) checkEngines() error {
	if len(s.Engines) == 0 {
		return newError("write valkey://HOST first", "no engine")
	}
	first := s.Engines[0]
	for _, e := range s.Engines {
		switch {
		case len(s.Engines) > maxEngines:
			return newError("write fewer", "more than %d engines", maxEngines)
		case e.TLS != first.TLS:
			return newError("write valkeys:// for all of them, or for none",
				"some engines with TLS, some without")
		case e.DB != first.DB:
			return newError("write the same for all of them", "several numbers of a database")
		case len(s.Engines) > 1 && e.Network == unixNetwork:
			return newError("write it alone, or valkey://HOST for each",
				"a unix socket among several engines")
		}
	}
	switch {
	case len(s.Engines) > 1 && s.Master == "" && first.DB != 0:
		return newError("leave it out", "a Cluster has no numbers of a database")
	case s.CA != "" && !first.TLS:
		return newError("write valkeys://, or leave out ca=", "ca= without TLS")
	case s.User != "" && s.Password == "":
		return newError("write password=FILE too", "user= without a password")
	}
	return nil
}

// parseEngine reads valkey://HOST[:PORT][/DB], the same with valkeys:// for TLS, or unix:///PATH.
func parseEngine(url string) (e Engine, err error) {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		if path, ok := strings.CutPrefix(url, "unix:"); ok {
			return e, newError("write unix://"+path, "%s is no URL", quoted(url))
		}
		if strings.HasPrefix(url, "/") {
			return e, newError("write unix://"+url, "%s is no URL", quoted(url))
		}
		if meansOff(url) {
			return e, newError("write off", "%s is no URL", quoted(url))
		}
		if before, after, _ := strings.Cut(url, ":/"); engineSchemes[before].Network != "" {
			return e, newError("write "+before+"://"+after, "%s is no URL", quoted(url))
		}
		return e, newError("write valkey://"+url, "%s is no URL", quoted(url))
	}
	e, known := engineSchemes[strings.ToLower(scheme)]
	switch {
	case !known:
		return e, newError("write valkey://, valkeys:// for TLS, or unix://",
			"%s is no scheme of Valkey or Redis", quoted(scheme))
	case strings.Contains(rest, "@"):
		return e, newError("write user=NAME and password=FILE behind it, the password into FILE",
			"a user or a password in a URL")
	case strings.ContainsAny(rest, "?#"):
		return e, newError("leave it out", "options in a URL of %s", quoted(scheme))
	case e.Network == unixNetwork:
		e.Address = rest
		if err := checkAbsolute(rest); err != nil {
			return e, err
		}
		if len(rest) > maxSocketPath {
			return e, newError("write a shorter one", "a path of more than %d bytes", maxSocketPath)
		}
		return e, nil
	}
	place, db, _ := strings.Cut(rest, "/")
	if db != "" {
		if err := setCount(&e.DB, db, 0, maxDB); err != nil {
			return e, prefixError("number of the database", err)
		}
	}
	return e, e.setPlace(place)
}

// setPlace sets the address to HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT.
func (e *Engine) setPlace(place string) error {
	host, port := hostAndPort(place)
	_, addrErr := netip.ParseAddr(host)
	switch {
	case host == "":
		return newError("write valkey://HOST", "no host in %s", quoted(place))
	case strings.Contains(host, ":") && !strings.HasPrefix(place, "["):
		return newError("write ["+host+"]", "an IPv6 address without brackets")
	case !policy.IsHostname(host) && addrErr != nil:
		return newError("write valkey://HOST", "%s is no host", quoted(host))
	}
	if port == "" {
		port = strconv.Itoa(enginePort)
	}
	if !isPort(port) {
		return newError("write 1 to 65535 after the last colon", "wrong port in %s", quoted(place))
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	e.Address = host + ":" + port
	return nil
}

// String is the URL.
func (e Engine) String() string {
	if e.Network == unixNetwork {
		return "unix://" + e.Address
	}
	url := "valkey://" + e.Address
	if e.TLS {
		url = "valkeys://" + e.Address
	}
	if e.DB > 0 {
		url += "/" + strconv.Itoa(e.DB)
	}
	return url
}

func printShareEngine(c *Config) string {
	s := &c.Share
	if len(s.Engines) == 0 {
		return off
	}
	var words []string
	for _, e := range s.Engines {
		words = append(words, e.String())
	}
	for i, value := range []string{s.User, s.Password, s.CA, s.Master} {
		if value != "" {
			words = append(words, engineKeys[i]+"="+value)
		}
	}
	return joinWords(words...)
}
