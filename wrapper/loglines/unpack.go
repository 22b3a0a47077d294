package loglines

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// What a log may ask for that is not there yet, and an attacker could ask for gigabytes: the memory
// in which its packer looks back. zstd(1), too, unpacks no more without a flag, and packs with 8 MB
// without --ultra and --long; xz -9 packs with 64 MB.
const (
	maxWindow     = 128 << 20
	maxDictionary = 64 << 20
)

// Unpack reads a log that may be packed; its first bytes say how, since names may lie.
func Unpack(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	magic, _ := in.Peek(6)
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		return gzip.NewReader(in)
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return xz.NewReader(in, maxDictionary)
	}
	return in, nil
}

// wantsTooMuch reports whether a log is not unpacked because that would take more memory
// than it may.
func wantsTooMuch(err error) bool {
	return errors.Is(err, xz.ErrMemlimit) || errors.Is(err, zstd.ErrWindowSizeExceeded)
}
