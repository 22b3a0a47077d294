// Package firewall asks and tells the firewall of the machine, by nft(8).
package firewall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strings"
	"time"

	"sendwrap/exec"
)

// nftPlaces are where nft may be, in the order of sendwrap-nft's PATH. An administrator's PATH may
// lack them.
var nftPlaces = [...]string{"/usr/local/sbin/nft", "/usr/sbin/nft", "/sbin/nft"}

// NFT runs nft(8) for at most that long, and returns its output. An error has the first line of its
// stderr, and is [os.ErrDeadlineExceeded] if it took longer.
func NFT(atMost time.Duration, stdin io.Reader, args ...string) (output string, err error) {
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
		return "", fmt.Errorf("%s took longer than %v: %w", program, atMost,
			os.ErrDeadlineExceeded)
	case errors.As(err, &exit):
		line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		return "", fmt.Errorf("%s: %v: %s", program, err, line)
	case err != nil:
		return "", err
	}
	return string(out), nil
}
