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
	"sendwrap/exec"
	"sendwrap/wrapper/decide"
)

// nftPlaces are where nft may be, in the order of sendwrap-nft's PATH. An administrator's PATH may
// lack them.
var nftPlaces = [...]string{"/usr/local/sbin/nft", "/usr/sbin/nft", "/sbin/nft"}

// nft runs nft(8) for at most that long, and returns its output. An error has the first line of its
// stderr.
func nft(atMost time.Duration, stdin io.Reader, args ...string) (output string, err error) {
	program := ""
	for _, place := range nftPlaces {
		if program == "" && exec.CheckProgram(place) == nil {
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

// firewall says that the firewall drops the client's packets, and what to do about it if sendwrap
// does not refuse the client. It returns "" if it does not, or if the firewall cannot be asked:
// only root can, and only with the sets of packaging/nftables.conf.
func firewall(client netip.Addr, verdict decide.Verdict) string {
	set := "blocked4"
	if client.Is6() {
		set = "blocked6"
	}
	if os.Geteuid() != 0 {
		return ""
	}
	output, err := nft(askTime, nil, "get", "element", "inet", "sendwrap", set,
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
