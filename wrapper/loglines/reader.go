package loglines

import (
	"bufio"
	"errors"
	"io"
)

// maxLine is how many bytes of a line are kept. The longest of ours has 1 kB, and a few more as an
// entry of the journal.
const maxLine = 64 << 10

// errTooLong is a line of more than maxLine bytes.
var errTooLong = errors.New("too long")

// lines cuts a log into lines.
type lines struct{ from *bufio.Reader }

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, maxLine)} }

// next returns the next line without its end, which is valid until the next call. Of a line that is
// too long nothing is returned but errTooLong, and io.EOF follows the last line.
func (l *lines) next() ([]byte, error) {
	line, err := l.from.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		for err == bufio.ErrBufferFull {
			_, err = l.from.ReadSlice('\n')
		}
		if err == nil || err == io.EOF {
			err = errTooLong
		}
		return nil, err
	}
	if len(line) > 0 && err == io.EOF {
		err = nil
	}
	for n := len(line); n > 0 && (line[n-1] == '\n' || line[n-1] == '\r'); n-- {
		line = line[:n-1]
	}
	return line, err
}
