package exec

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A hook that others could replace is refused, and does not run.
func TestHookThatOthersCouldReplace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	hook, mark := filepath.Join(dir, "hook"), filepath.Join(dir, "mark")
	err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777),
		os.WriteFile(hook, []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	want := dir + ": mode 0777 lets others replace what is in it; chmod go-w it"
	if err := hooks(t).Run([]string{hook}, nil, time.Minute); err == nil || err.Error() != want {
		t.Errorf("Run: %v", err)
	}
	if err := CheckHook(hook); err == nil || err.Error() != want {
		t.Errorf("CheckHook: %v", err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it ran nevertheless: %v", err)
	}
}
