package doctor

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/resolve"
)

// tested is what is wrong with those that do not work. between is what stands before the fault.
func tested(all []Tested, where, between string) (findings []Finding) {
	for _, t := range all {
		if t.Fault != "" {
			what, write, found := strings.Cut(t.Fault, "; ")
			if !found {
				write = "see OPERATIONS, Lists of DNS"
			}
			findings = append(findings, Finding{Where: where, What: t.Name + between + what,
				Write: write})
		}
	}
	return findings
}

func lists(s *Site) []Finding { return tested(s.Lists, s.at("dnsbl"), " ") }

func resolvers(s *Site) []Finding { return tested(s.Resolvers, s.at("resolver"), ": ") }

// public are resolvers that serve everybody: of Google, Cloudflare, Quad9, OpenDNS, AdGuard.
var public = []string{
	"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844",
	"1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001",
	"9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9",
	"208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53",
	"94.140.14.14", "94.140.15.15",
}

// publicResolver names resolvers that many lists do not answer.
func publicResolver(s *Site) (all []Finding) {
	if len(s.Config.Lists) == 0 {
		return nil
	}
	r := resolve.New(s.Config.Resolvers)
	defer r.Close()
	for _, server := range r.Servers() {
		if slices.ContainsFunc(public, func(known string) bool {
			return netip.MustParseAddr(known) == server.Addr()
		}) {
			all = append(all, Finding{Where: s.at("resolver"),
				What:  server.Addr().String() + " is a public resolver",
				Write: "run one of your own, and write resolver 127.0.0.1"})
		}
	}
	return all
}
