package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// ErrNothing is that there is nothing to take back.
var ErrNothing = errors.New("nothing to undo: sendwrap setup -do has changed nothing here")

// ErrEdited is that files were edited since, and undo waits for an administrator.
var ErrEdited = errors.New("nothing is taken back as long as sendwrap's lines are in these " +
	"files; take them out, then type sendwrap setup -undo again")

// Undo takes back what a Do with the same directory has started, and says on out what it does.
// Files that were edited since it leaves, and shows what differs from the copy. If one of them is
// needed for the way back, it changes nothing, and returns [ErrEdited]. After any other error all
// further steps are taken, and Undo can be called again; the error says what else can be done.
// Where all is taken back and nobody is greeted, it says so once.
func Undo(dir string, out io.Writer) error {
	j, err := openJournal(dir, false)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNothing
	} else if err != nil {
		return err
	}
	defer j.close()
	if Started(dir) == nil {
		return errors.Join(ErrNothing, j.abandon())
	}
	return j.undo(out)
}

func (j *journal) undo(out io.Writer) error {
	all, err := j.entries()
	if err != nil {
		return err
	}
	awaitOrphans(all, out)
	needed := false
	for _, e := range all {
		if e.File == nil {
			continue
		}
		state, err := j.stateOf(e)
		if err != nil {
			return j.orByHand(err)
		}
		if state == edited || state == removed {
			old, _ := j.copies(e.Copy)
			fmt.Fprintf(out, "%s: was %s since, and stays as it is; as before it would be:\n%s",
				e.File.Name, state, difference(e.File.Name, e.File.Name, old, ""))
			needed = needed || state == edited && !e.File.Loose
		}
	}
	if needed {
		return ErrEdited
	}
	var errs error
	for _, e := range slices.Backward(all) {
		errs = errors.Join(errs, j.takeBack(e, out))
	}
	if errs != nil {
		return j.orByHand(errs)
	}
	if len(all) > 0 && all[0].Goal != nil {
		fmt.Fprintln(out, "wait for greetings")
		err = all[0].Goal.await(context.Background(), false)
	}
	if err != nil {
		err = fmt.Errorf("all is taken back, but: %w", err)
	}
	return errors.Join(err, j.remove())
}

// orByHand adds to an error what to do. It may come again for ever: the super-server was removed.
func (j *journal) orByHand(err error) error {
	return fmt.Errorf("%w\nrepair that, and type sendwrap setup -undo again; or take the rest "+
		"back yourself (%s has the old files), and remove that directory", err, j.dir)
}

// takeBack takes one step back.
func (j *journal) takeBack(e entry, out io.Writer) error {
	if e.File == nil {
		if e.Undo != "" {
			fmt.Fprintln(out, e.Undo)
		}
		return j.run(e.Undo)
	}
	if err := removeNext(e.File.Name); err != nil {
		return err
	}
	if state, err := j.stateOf(e); err != nil || state != written {
		return err
	}
	fmt.Fprintf(out, "%s: as before\n", e.File.Name)
	oldName, _ := j.copies(e.Copy)
	old, err := readFile(oldName)
	if errors.Is(err, os.ErrNotExist) {
		return errors.Join(os.Remove(e.File.Name), syncDir(e.File.Name))
	} else if err != nil {
		return err
	}
	return replace(e.File.Name, old)
}

// state is how a file stands.
type state string

const (
	written state = "written" // as Do has written it
	before  state = "before"  // as before, or without any of Do's lines
	edited  state = "edited"  // in another way
	removed state = "removed" // it was there before Do
)

// stateOf compares a file with its copies.
func (j *journal) stateOf(e entry) (state, error) {
	oldName, newName := j.copies(e.Copy)
	next, err := readFile(newName)
	if err != nil {
		return "", err
	}
	old, oldErr := readFile(oldName)
	if oldErr != nil && !errors.Is(oldErr, os.ErrNotExist) {
		return "", oldErr
	}
	now, err := readFile(e.File.Name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if oldErr == nil {
			return removed, nil
		}
		return before, nil
	case err != nil:
		return "", err
	case now.text == next.text:
		return written, nil
	case oldErr == nil && (now.text == old.text || !hasAny(now.text, next.text, old.text)):
		return before, nil
	}
	return edited, nil
}

// hasAny reports whether a text has a line that next has and old has not.
func hasAny(text, next, old string) bool {
	lines := strings.Split(text, "\n")
	before := strings.Split(old, "\n")
	for _, line := range strings.Split(next, "\n") {
		if !slices.Contains(before, line) && slices.Contains(lines, line) {
			return true
		}
	}
	return false
}
