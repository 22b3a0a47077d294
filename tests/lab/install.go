package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// NotUnpacked says which of these packages tests/setup.sh has not unpacked; "" is none.
func NotUnpacked(packages ...string) string {
	for _, name := range packages {
		if missing := Lack(Unpacked(name)); missing != "" {
			return fmt.Sprintf("no package %s unpacked: tests/setup.sh does that", name)
		}
	}
	return NoNamespaces()
}

// Install puts the files of packages that tests/setup.sh has unpacked where they belong, in the
// mount namespace of the calling thread, which must not be the machine's. If two have a file of the
// same name, the earlier one's is seen. None of their own scripts runs. All that is written to /usr
// and /etc from then on is gone with the namespace.
func Install(packages ...string) error {
	scratch, err := os.MkdirTemp(Dir(), "install")
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount %s: %w", scratch, err)
	}
	covered := map[string][]byte{} // what prepare has mounted over files is not seen in an overlay
	for _, file := range []string{"hosts", "nsswitch.conf", "resolv.conf", "passwd", "group"} {
		text, err := os.ReadFile("/etc/" + file)
		if err != nil {
			return err
		}
		covered["/etc/"+file] = text
	}
	for _, top := range []string{"/usr", "/etc"} {
		var layers []string
		for _, name := range packages {
			if dir := Unpacked(name + top); Lack(dir) == "" {
				layers = append(layers, dir)
			}
		}
		upper, work := filepath.Join(scratch, top), filepath.Join(scratch, top+"-work")
		for _, dir := range []string{upper, work} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
		}
		options := "lowerdir=" + strings.Join(append(layers, top), ":") +
			",upperdir=" + upper + ",workdir=" + work
		if err := unix.Mount("overlay", top, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount %s: %w", top, err)
		}
	}
	for file, text := range covered {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
