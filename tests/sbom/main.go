// Sbom prints what is in programs, by the build information in them, as a bill of materials in the
// format of CycloneDX 1.5 (ECMA-424): go run ./tests/sbom PROGRAM…
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Version      int          `json:"version"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	URL     string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// dependency says which modules a program has in it.
type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

func run(programs []string) error {
	b := bill{Format: "CycloneDX", SpecVersion: "1.5", Version: 1}
	for _, program := range programs {
		if err := b.add(program); err != nil {
			return err
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(b)
}

// add adds a program and the modules in it.
func (b *bill) add(program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	name := filepath.Base(program)
	b.Components = append(b.Components, component{
		Type: "application", Ref: name, Name: name, Version: info.Main.Version,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	})
	on := []string{b.library("std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		on = append(on, b.library(module.Path, module.Version))
	}
	b.Dependencies = append(b.Dependencies, dependency{name, on})
	return nil
}

// library returns the name of a module, and adds it if it is new.
func (b *bill) library(path, version string) (ref string) {
	ref = "pkg:golang/" + path + "@" + version
	if !slices.ContainsFunc(b.Components, func(c component) bool { return c.Ref == ref }) {
		b.Components = append(b.Components, component{
			Type: "library", Ref: ref, Name: path, Version: version, URL: ref,
		})
	}
	return ref
}
