package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

// Print writes what was found, all steps, and the way back.
func (p *Plan) Print(w io.Writer) {
	for _, line := range p.Found {
		fmt.Fprintln(w, line)
	}
	fmt.Fprint(w, "\nSteps:\n")
	for _, s := range p.Steps {
		switch {
		case s.File != nil:
			fmt.Fprintf(w, "\n# %s\n%s", s.What,
				difference(s.File.Name, s.File.Name, "-", s.File.Text))
		case s.Do != "":
			fmt.Fprintf(w, "\n# %s\n%s\n", s.What, s.Do)
		}
	}
	fmt.Fprint(w, "\nThe way back:\n\n")
	for _, s := range slices.Backward(p.Steps) {
		switch {
		case s.File != nil:
			fmt.Fprintf(w, "# %s: as before\n", s.File.Name)
		case s.Undo != "":
			fmt.Fprintln(w, s.Undo)
		}
	}
}

// difference is how one file becomes another, as diff(1) shows it. A file that is missing is an
// empty one; "-" is text.
func difference(name, from, to, text string) string {
	for _, file := range []*string{&from, &to} {
		if _, err := os.Lstat(*file); *file != "-" && errors.Is(err, os.ErrNotExist) {
			*file = os.DevNull
		}
	}
	out, err := ask("/", text, "/usr/bin/diff", "-u", "--label", name, "--label", name, "--",
		from, to)
	var differ *exec.ExitError // that is no failure
	if err != nil && !errors.As(err, &differ) {
		return err.Error() + "\n"
	}
	return string(out)
}
