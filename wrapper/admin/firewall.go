package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	osexec "os/exec"
	"strings"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/decide"
)

// nftPlaces are where nft is looked for, in the order of sendwrap-nft's PATH; an administrator's
// may lack them.
var nftPlaces = [...]string{"/usr/local/sbin/nft", "/usr/sbin/nft", "/sbin/nft"}

// nft runs nft(8) for so long at most, and returns what it says on stdout. An error is a line with
// the first that it says on stderr.
func nft(atMost time.Duration, stdin io.Reader, args ...string) (said string, err error) {
	program := ""
	for _, place := range nftPlaces {
		if program == "" && runnable(place) == nil {
			program = place
		}
	}
	if program == "" {
		return "", errors.New("nft is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	cmd := osexec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Stdin, cmd.WaitDelay = stdin, time.Second
	out, err := cmd.Output()
	var exit *osexec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s took longer than %v", program, atMost)
	case errors.As(err, &exit):
		line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return "", fmt.Errorf("%s: %v: %s", program, err, line)
	case err != nil:
		return "", err
	}
	return string(out), nil
}

// askTime is how long the firewall may take to answer.
const askTime = 2 * time.Second

// element reads what `nft get element` says of one, for example
//
//	elements = { 192.0.2.0/25 timeout 1h expires 59m59s896ms comment "192.0.2.0/24" }
//
// It is empty if that is nothing. left is "" of one that stays for good, and owner the network
// itself without a comment.
func element(said string) (network, left, owner string) {
	_, said, _ = strings.Cut(said, "elements = {")
	said, _, _ = strings.Cut(said, "}")
	key := ""
	for i, word := range strings.Fields(said) {
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

// wholeSeconds is 59m59s for 59m59s896ms.
func wholeSeconds(time string) string {
	base, is := strings.CutSuffix(time, "ms")
	if at := strings.LastIndexAny(base, "dhms"); is && at >= 0 {
		return base[:at+1]
	}
	return time
}

// firewall says that the firewall drops the client's packets, and what to do about that where
// sendwrap does not refuse it. Whether the firewall can be asked depends on who asks, and on
// whether the sets of packaging/nftables.conf are there: else nothing is said.
func firewall(client netip.Addr, verdict decide.Verdict) string {
	set := "blocked4"
	if client.Is6() {
		set = "blocked6"
	}
	if os.Geteuid() != 0 {
		return ""
	}
	said, err := nft(askTime, nil, "get", "element", "inet", "sendwrap", set, "{", client.String(), "}")
	if err != nil {
		return "" // it is not in there, or there is no such set
	}
	network, left, owner := element(said)
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
