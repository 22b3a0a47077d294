package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/policy"
)

const (
	// longestTranscript bounds the text of one session, which is kept in memory. With its head and
	// the last line it is less than the least that `transcript max=` allows.
	longestTranscript = 60 << 10

	// longestText bounds the client's text in a line.
	longestText = 256

	// A transcript is named after the start of its session and the client.
	transcriptTime   = "20060102T150405.000Z"
	transcriptSuffix = ".transcript"

	// unfinished is its name until it is complete. The next one overwrites it after a crash.
	unfinished = ".unfinished"
)

// transcript is what the guard sees of one session. It is written only if the session causes a
// block or a strike.
type transcript struct {
	session *session
	to      policy.Transcript
	text    []byte
	full    bool

	mu      sync.Mutex // of what decides whether it is written
	wanted  bool       // the session has caused a block or a strike
	pending int        // offences that wait for the ledger
	over    bool       // the session is
}

// newTranscript is nil if none is kept; its methods do nothing then.
func newTranscript(s *session) *transcript {
	if s.config.Transcript.Dir == "" {
		return nil
	}
	return &transcript{session: s, to: s.config.Transcript}
}

// add notes a command of the client and the MTA's rejection; "" if it has not rejected it.
func (t *transcript) add(word, text, result string) {
	if t == nil || t.full {
		return
	}
	if len(t.text) > longestTranscript {
		t.full = true
		t.text = append(t.text, "(and so on)\n"...)
		return
	}
	t.line(word, text, result)
}

// verdict notes a verdict, even when the transcript is full: each is noted once at most.
func (t *transcript) verdict(word string) {
	if t != nil {
		t.line(word)
	}
}

func (t *transcript) line(word string, parts ...string) {
	t.text = fmt.Appendf(t.text, "%9.3f  %s", time.Since(t.session.began).Seconds(), word)
	for _, part := range parts {
		if part != "" {
			t.text = append(t.text, "  "...)
			t.text = strconv.AppendQuoteToASCII(t.text, part[:min(len(part), longestText)])
		}
	}
	t.text = append(t.text, '\n')
}

// keep notes that the session has caused a block or a strike.
func (t *transcript) keep() { t.update(func() { t.wanted = true }) }

// awaitWrite notes that an offence waits for the ledger, and written what it has caused.
func (t *transcript) awaitWrite() { t.update(func() { t.pending++ }) }

func (t *transcript) written(caused bool) {
	t.update(func() {
		t.pending--
		t.wanted = t.wanted || caused
	})
}

// sessionOver notes that nothing more is added.
func (t *transcript) sessionOver() { t.update(func() { t.over = true }) }

// update changes the state of the transcript, and writes it once it is complete and wanted.
func (t *transcript) update(change func()) {
	if t == nil {
		return
	}
	t.mu.Lock()
	change()
	ready := t.wanted && t.over && t.pending == 0
	t.mu.Unlock()
	if ready {
		t.save()
	}
}

func (t *transcript) save() {
	g := t.session.guard
	g.transcriptMu.Lock()
	defer g.transcriptMu.Unlock()
	if err := t.write(); err != nil {
		g.warn("transcript: " + err.Error())
	}
}

// write writes the file, and deletes older ones to make room. The name sorts by time.
func (t *transcript) write() error {
	s := t.session
	dir, err := openPrivate(t.to.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	text := fmt.Appendf(nil, "client  [%v]:%d\nbegan   %s\nmta     %d\n"+
		"seconds  the client's command  the MTA's rejection, if any\n",
		s.client.Addr(), s.client.Port(), s.began.UTC().Format(time.RFC3339), s.mta)
	text = append(text, t.text...)
	if err := trim(dir, t.to.Max-sizeOnDisk(int64(len(text)))); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%v-%d%s", s.began.UTC().Format(transcriptTime),
		s.client.Addr(), s.client.Port(), transcriptSuffix)
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), unfinished, flags, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Join(t.to.Dir, unfinished), Err: err}
	}
	f := os.NewFile(uintptr(fd), unfinished)
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = unix.Renameat(int(dir.Fd()), unfinished, int(dir.Fd()), name)
	return os.NewSyscallError("rename", err)
}

// openPrivate opens the directory for transcripts, and makes it if only the last step is missing.
func openPrivate(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	return openExisting(path)
}

// CheckTranscripts returns why no transcripts could be kept in the directory at path; nil if they
// could. It makes nothing.
func CheckTranscripts(path string) error {
	dir, err := openExisting(path)
	switch {
	case err == nil:
		return dir.Close()
	case errors.Is(err, fs.ErrNotExist):
		return fileaccess.CheckMakeable(path, 0o700)
	}
	return err
}

// openExisting is openPrivate for a directory that is there. It refuses one in which others may
// write, since transcripts show what clients have said.
func openExisting(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	dir := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		dir.Close()
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	const cure = "name a directory of the guard's own, mode 0700"
	if fault := fileaccess.Check(path, &st, fileaccess.Writable, cure); fault != nil {
		dir.Close()
		return nil, fault
	}
	return dir, nil
}

// isTranscript reports whether a file has the name of a transcript.
func isTranscript(name string) bool {
	began, _, _ := strings.Cut(name, "-")
	_, err := time.Parse(transcriptTime, began)
	return err == nil && strings.HasSuffix(name, transcriptSuffix)
}

// sizeOnDisk is the size of a file in whole pages, which also bounds the number of files: each of
// them is looked at whenever one is written.
func sizeOnDisk(size int64) int64 {
	const page = 4 << 10
	return max(1, (size+page-1)/page) * page
}

// trim deletes the oldest transcripts until the others take no more than most bytes.
func trim(dir *os.File, most int64) error {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return !e.Type().IsRegular() || !isTranscript(e.Name())
	})
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(b.Name(), a.Name()) // the newest first
	})
	var sum int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it has just been removed
		}
		if sum += sizeOnDisk(info.Size()); sum > most {
			err := unix.Unlinkat(int(dir.Fd()), e.Name(), 0)
			if err != nil && err != unix.ENOENT {
				path := filepath.Join(dir.Name(), e.Name())
				return &os.PathError{Op: "unlink", Path: path, Err: err}
			}
		}
	}
	return nil
}
