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

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/fileaccess"
)

const (
	// longestTranscript is how much is kept of one session, and so the memory that it may take, if
	// it asks for it. With its head and the last line it is less than the least that `transcript
	// max=` allows.
	longestTranscript = 60 << 10

	// longestText is how much of a client's text a line shows.
	longestText = 256

	// A transcript is named after the time when the session began, then comes its client.
	transcriptTime   = "20060102T150405.000Z"
	transcriptSuffix = ".transcript"

	// unfinished is its name until it is complete; one that a killed guard has left is written
	// over.
	unfinished = ".unfinished"
)

// transcript is what the guard sees of one session. It is written only if the session earns a block
// or a strike.
type transcript struct {
	session *session
	to      config.Transcript
	text    []byte
	cut     bool
	clerk   *clerk

	mu     sync.Mutex // of what decides whether it is kept
	earned bool
	owed   int  // offences that the ledger has not been told yet
	left   bool // the session is over
}

// clerk writes the transcripts of all sessions, one after the other, so that what they take
// together stays bounded.
type clerk struct{ sync.Mutex }

// newTranscript is nil where none are kept. All its methods do nothing then.
func newTranscript(s *session) *transcript {
	if s.config.Transcript.Dir == "" {
		return nil
	}
	return &transcript{session: s, to: s.config.Transcript, clerk: &s.guard.clerk}
}

// add notes what the client has said and what the MTA's answer was: "" is yes, as far as we see.
func (t *transcript) add(word, text, result string) {
	if t == nil || t.cut {
		return
	}
	if len(t.text) > longestTranscript {
		t.cut = true
		t.text = append(t.text, "(and so on)\n"...)
		return
	}
	t.line(word, text, result)
}

// verdict notes what was decided, however long the transcript has become: there is one of each kind
// at most.
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

// keep says that the session has earned it.
func (t *transcript) keep() { t.learn(func() { t.earned = true }) }

// owes says that whether the session has earned it is not known yet; settle will tell.
func (t *transcript) owes() { t.learn(func() { t.owed++ }) }

// settle says what came of it.
func (t *transcript) settle(earned bool) {
	t.learn(func() {
		t.owed--
		t.earned = t.earned || earned
	})
}

// leave is the end of the session.
func (t *transcript) leave() { t.learn(func() { t.left = true }) }

// learn notes something, and writes the transcript if it is to be kept and the session is over.
func (t *transcript) learn(note func()) {
	if t == nil {
		return
	}
	t.mu.Lock()
	note()
	ready := t.earned && t.left && t.owed == 0
	t.mu.Unlock()
	if ready {
		t.close()
	}
}

// close writes it.
func (t *transcript) close() {
	t.clerk.Lock()
	defer t.clerk.Unlock()
	if err := t.write(); err != nil {
		t.session.guard.warn("transcript: " + err.Error())
	}
}

// write makes a file of its own, and room for it. The name sorts by time.
func (t *transcript) write() error {
	s := t.session
	dir, err := openPrivate(t.to.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	text := fmt.Appendf(nil, "client  [%v]:%d\nbegan   %s\nmta     %d\nseconds, then what the client said, and the MTA's answer unless it was yes:\n",
		s.client.Addr(), s.client.Port(), s.began.UTC().Format(time.RFC3339), s.mta)
	text = append(text, t.text...)
	if err := makeRoom(dir, t.to.Max-onDisk(int64(len(text)))); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%v-%d%s", s.began.UTC().Format(transcriptTime), s.client.Addr(), s.client.Port(), transcriptSuffix)
	fd, err := unix.Openat(int(dir.Fd()), unfinished, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
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
	return os.NewSyscallError("rename", unix.Renameat(int(dir.Fd()), unfinished, int(dir.Fd()), name))
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
		return checkMakeable(path)
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

// checkMakeable returns why a directory could not be made: only the last step may be missing.
func checkMakeable(dir string) error {
	parent := filepath.Dir(dir)
	if info, err := os.Stat(parent); err != nil && !errors.Is(err, fs.ErrPermission) ||
		err == nil && !info.IsDir() {
		return fmt.Errorf("there is no directory %s; mkdir -p -m 0700 %s", parent, dir)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, parent, unix.W_OK, unix.AT_EACCESS); err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

// isTranscript says whether a file's name is one of those that we make.
func isTranscript(name string) bool {
	began, _, _ := strings.Cut(name, "-")
	_, err := time.Parse(transcriptTime, began)
	return err == nil && strings.HasSuffix(name, transcriptSuffix)
}

// onDisk is what a file of that size takes, in pages: of small ones there would be so many that to
// look through them, for each that is written, takes too long.
func onDisk(size int64) int64 {
	const page = 4 << 10
	return max(1, (size+page-1)/page) * page
}

// makeRoom deletes the oldest transcripts until all of them together take no more than that.
func makeRoom(dir *os.File, most int64) error {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.Type().IsRegular() || !isTranscript(e.Name()) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(b.Name(), a.Name()) })
	var sum int64
	for _, e := range entries { // the newest first
		info, err := e.Info()
		if err != nil {
			continue // gone
		}
		if sum += onDisk(info.Size()); sum > most {
			if err := unix.Unlinkat(int(dir.Fd()), e.Name(), 0); err != nil && err != unix.ENOENT {
				return &os.PathError{Op: "unlink", Path: filepath.Join(dir.Name(), e.Name()), Err: err}
			}
		}
	}
	return nil
}
