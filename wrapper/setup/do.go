package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Do carries out the plan, with a journal in dir, and says on out what it does. If a step fails, if
// nobody is greeted in the end, or at SIGINT, SIGTERM or SIGHUP, it takes everything back, and
// returns why.
func (p *Plan) Do(dir string, out io.Writer) error {
	j, err := openJournal(dir, true)
	if err != nil {
		return err
	}
	defer j.close()
	if err := Started(dir); err != nil {
		return err
	}
	if err := p.prepare(j); err != nil {
		return errors.Join(fmt.Errorf("nothing was changed: %w", err), j.abandon())
	}
	// A step that has begun ends: half a command would be worse.
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if err = p.carryOut(ctx, j, out); err == nil {
		return nil
	}
	fmt.Fprintf(out, "%v\nAll is taken back.\n", err)
	if undoErr := j.undo(out); undoErr != nil {
		return fmt.Errorf("%w; then, on the way back:\n%w", err, undoErr)
	}
	return fmt.Errorf("%w; everything is as before", err)
}

// prepare does all that could fail for lack of room before anything is changed.
func (p *Plan) prepare(j *journal) error {
	if err := j.clear(); err != nil {
		return err
	}
	for i, s := range p.Steps {
		if s.File == nil {
			continue
		}
		if err := j.keepCopy(i+1, s.File); err != nil {
			return err
		}
	}
	return j.append(entry{Goal: &p.Goal})
}

// abandon ends a journal by which nothing was changed.
func (j *journal) abandon() error { return errors.Join(j.clear(), j.removeDir()) }

func (p *Plan) carryOut(ctx context.Context, j *journal, out io.Writer) error {
	for i, s := range p.Steps {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		e := entry{What: s.What, Do: s.Do, Undo: s.Undo}
		if s.File != nil {
			// Before the journal has it: an edit of an administrator is nothing to take back.
			if _, _, err := s.File.present(); err != nil {
				return err
			}
			e.Copy, e.File = i+1, &File{Name: s.File.Name, Loose: s.File.Loose}
		}
		if err := j.append(e); err != nil {
			return err
		}
		if s.File != nil || s.Do != "" {
			fmt.Fprintln(out, s.What)
		}
		if err := j.take(s, i+1); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "wait for greetings")
	return p.Goal.await(ctx, true)
}

// take takes one step.
func (j *journal) take(s Step, n int) error {
	if s.File == nil {
		return j.run(s.Do)
	}
	next := content{text: s.File.Text, mode: uint32(s.File.Mode)}
	oldName, _ := j.copies(n)
	old, err := readFile(oldName)
	switch {
	case err == nil:
		next.mode, next.uid, next.gid = old.mode, old.uid, old.gid
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	return replace(s.File.Name, next)
}

// clear removes what setup writes into the directory. Other files there are none of ours.
func (j *journal) clear() (errs error) {
	for _, ours := range []string{journalName, outputName, "[0-9]*.old", "[0-9]*.new"} {
		names, err := filepath.Glob(j.file(ours))
		errs = errors.Join(errs, err)
		for _, name := range names {
			errs = errors.Join(errs, os.Remove(name))
		}
	}
	return errs
}
