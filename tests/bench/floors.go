package main

import (
	_ "embed"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The names under which the table shows the programs.
const (
	ours     = "sendwrap"
	fromText = "from the text" // sendwrap without the door
	goFloor  = "Go floor"
	cFloor   = "C floor"
)

// What build calls the full program, and the sendwrap of -before.
const (
	fullProgram  = "full/sendwrap"
	olderProgram = "sendwrap-before"
)

//go:embed testdata/floor.go
var floorGo string

//go:embed testdata/floor.c
var floorC string

//go:embed testdata/stub.c
var stubC string

//go:embed testdata/stub-stays.c
var stubStaysC string

// build puts into dir:
//
//	sendwrap               the door, or a copy of ready if that is not ""
//	full/sendwrap          the full program; none if ready is not ""
//	full/sendwrap-view     the view program
//	sendwrap-before        a copy of before, if that is not ""
//	floor-go, floor-c      the smallest programs that poll fd 0 and exit
//	floor-go-mta, -c-mta   the same that look at fd 0 once and become the stub
//	stub                   an MTA that greets and goes
//	stub-stays             an MTA that greets and stays until the client goes
//
// Go programs are built as `make build` does; C needs gcc and its static library.
func build(dir, ready, before string) error {
	sources := map[string]string{"floor.go": floorGo, "floor.c": floorC, "stub.c": stubC,
		"stub-stays.c": stubStaysC}
	for name, text := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	goBuild := func(name string, args ...string) []string {
		return append([]string{"go", "build", "-trimpath", "-o", in(name)}, args...)
	}
	cc := func(name string, args ...string) []string {
		gcc := []string{"gcc", "-static", "-O2", "-Wall", "-Werror", "-o", in(name)}
		return append(gcc, args...)
	}
	steps := [][]string{
		goBuild("floor-go", in("floor.go")),
		goBuild("floor-go-mta", "-ldflags=-X main.mta="+in("stub"), in("floor.go")),
		cc("floor-c", in("floor.c")),
		cc("floor-c-mta", `-DMTA="`+in("stub")+`"`, in("floor.c")),
		cc("stub", in("stub.c")),
		cc("stub-stays", in("stub-stays.c")),
	}
	if ready != "" {
		steps = append(steps, []string{"cp", ready, in("sendwrap")})
	} else {
		if err := lab.Build(in(fullProgram), false); err != nil {
			return err
		}
		flags := lab.DoorFlags(in(fullProgram))
		if err := lab.BuildWith(in("sendwrap"), "CGO_ENABLED=0", flags...); err != nil {
			return err
		}
	}
	if err := lab.BuildView(in(fullProgram)); err != nil {
		return err
	}
	if before != "" {
		steps = append(steps, []string{"cp", before, in(olderProgram)})
	}
	for _, argv := range steps {
		cmd := osexec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%q: %w\n%s", argv, err, out)
		}
	}
	// Until they are on the disk, the pages of a new program count as dirty memory of whoever maps
	// them.
	unix.Sync()
	return nil
}
