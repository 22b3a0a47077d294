package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/firewall"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// hook says that the program of on_block cannot be run.
func hook(s *Site) []Finding {
	if s.Config.OnBlock == nil {
		return nil
	}
	if err := exec.CheckHook(s.Config.OnBlock[0]); err != nil {
		what, write, found := strings.Cut(err.Error(), "; ")
		if !found {
			write = "write on_block PROGRAM ARG..., with the path of a program"
		}
		return one(s.at("on_block"), what, write)
	}
	return nil
}

// askTime is how long the firewall may take to answer. If it takes longer, nothing is said.
const askTime = 10 * time.Second

// firewallSets says that the sets are missing which our own on_block fills.
func firewallSets(s *Site) []Finding {
	hook := s.Config.OnBlock
	if hook == nil || filepath.Base(hook[0]) != "sendwrap-nft" || os.Geteuid() != 0 {
		return nil
	}
	said, err := firewall.NFT(askTime, nil, "-t", "list", "table", "inet", "sendwrap")
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(said, "set blocked4") &&
		strings.Contains(said, "set blocked6") {
		return nil
	}
	return one(s.at("on_block"), "the firewall has no sets of sendwrap", "nft -f nftables.conf "+
		"(of packaging/), and include it in /etc/nftables.conf")
}

// syslogd says that nobody reads the log.
func syslogd(s *Site) []Finding {
	if s.Config.Log != policy.Syslog {
		return nil
	}
	for _, kind := range []string{"unixgram", "unix"} {
		c, err := net.DialTimeout(kind, maillog.DevLog, time.Second)
		if err == nil {
			c.Close()
			return nil
		}
	}
	return one(maillog.DevLog, "nobody listens there", "start rsyslogd or systemd-journald")
}

// hostname says that refusals give the machine's name without a domain.
func hostname(s *Site) []Finding {
	settings := s.Config.Settings // a copy, since HostName changes them
	name := wrapper.HostName(&settings)
	if strings.Contains(name, ".") {
		return nil
	}
	return one(s.at("hostname"), fmt.Sprintf("refusals call this machine %q, without a domain",
		name), "write hostname mx.example.org")
}

// loopback says that no directive is about loopback, from which this machine's own mail comes.
func loopback(s *Site) []Finding {
	for _, own := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		if s.Config.Networks.Match(own).Access == rule.Unset {
			return one(s.at("allow"), "this machine's own mail comes from 127.0.0.1 and ::1",
				"write allow 127.0.0.0/8 ::1")
		}
	}
	return nil
}

// ownAddress names this machine's addresses that no directive is about.
func ownAddress(s *Site) []Finding {
	addrs, _ := net.InterfaceAddrs()
	var missing []string
	for _, one := range addrs {
		network, err := netip.ParsePrefix(one.String())
		addr := network.Addr().Unmap()
		if err == nil && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() &&
			s.Config.Networks.Match(addr).Access == rule.Unset {
			missing = append(missing, addr.String())
		}
	}
	if missing == nil {
		return nil
	}
	are := " is this machine's own"
	if len(missing) > 1 {
		are = " are this machine's own"
	}
	return one(s.at("allow"), strings.Join(missing, " and ")+are,
		"write allow "+strings.Join(missing, " "))
}
