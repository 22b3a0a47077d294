package admin

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/firewall"
)

// askTime is how long the firewall may take to answer.
const askTime = 2 * time.Second

// element parses the output of `nft get element`, for example
//
//	elements = { 192.0.2.0/25 timeout 1h expires 59m59s896ms comment "192.0.2.0/24" }
//
// All results are empty if there is no element. left is "" if it stays forever, and owner is the
// network itself if there is no comment.
func element(output string) (network, left, owner string) {
	_, output, _ = strings.Cut(output, "elements = {")
	output, _, _ = strings.Cut(output, "}")
	key := ""
	for i, word := range strings.Fields(output) {
		switch {
		case i == 0:
			network, owner = word, word
		case key == "expires":
			left = wholeSeconds(word)
		case key == "comment":
			owner = strings.Trim(word, `"`)
		}
		key = word
	}
	return network, left, owner
}

// wholeSeconds returns 59m59s for 59m59s896ms.
func wholeSeconds(time string) string {
	base, found := strings.CutSuffix(time, "ms")
	if at := strings.LastIndexAny(base, "dhms"); found && at >= 0 {
		return base[:at+1]
	}
	return time
}

// droppedText says that the firewall drops the client's packets, and what to do about it if
// sendwrap does not refuse the client. It returns "" if it does not, or if the firewall cannot be
// asked: only root can, and only with the sets of packaging/nftables.conf.
func droppedText(client netip.Addr, verdict decide.Verdict) string {
	set := "blocked4"
	if client.Is6() {
		set = "blocked6"
	}
	if os.Geteuid() != 0 {
		return ""
	}
	output, err := firewall.NFT(askTime, nil, "get", "element", "inet", "sendwrap", set,
		"{", client.String(), "}")
	if err != nil {
		return "" // there is no such element, or no such set
	}
	network, left, owner := element(output)
	if network == "" {
		return ""
	}
	text := "firewall: drops it"
	if left != "" {
		text += " for another " + left
	}
	text += fmt.Sprintf(", as part of %s in the set %s", network, set)
	if verdict == decide.Blocked {
		return text
	}
	if _, err := allowlist.ParseNetwork(owner); err != nil {
		return text + ", which sendwrap has not put there"
	}
	return text + "; sendwrap unblock " + owner + " ends that"
}
