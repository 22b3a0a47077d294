package main

import (
	"os"
	osexec "os/exec"
	"path/filepath"
)

// unpacked returns the path of a file of a package that tests/setup.sh has
// unpacked instead of installed, since it conflicts with another one.
func unpacked(file string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "sendwrap-tests", file)
}

// find returns the path of a program, from $PATH, a directory of root's or an
// unpacked package; "" if it is nowhere.
func find(name string) string {
	for _, path := range []string{name, "/usr/sbin/" + name, unpacked(name + "/usr/sbin/" + name)} {
		if path, err := osexec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}
