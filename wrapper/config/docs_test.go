package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
)

func TestTable(t *testing.T) {
	var text strings.Builder
	if err := Default().Write(&text); err != nil {
		t.Fatal(err)
	}
	want := ""
	names := map[string]bool{}
	for _, d := range directives {
		if names[d.Name] {
			t.Errorf("%s: twice", d.Name)
		}
		names[d.Name] = true
		if d.Args == "" {
			t.Errorf("%s: not described", d.Name)
		}
		if once := d.set != nil; once == (d.list != nil) || once != (d.print != nil) ||
			once != (d.Default != "") {
			t.Errorf("%s: neither given once, with a default, nor repeated", d.Name)
		}
		if d.Default != "" {
			want += d.Name + " " + d.Default + "\n"
		}
	}
	if got := text.String(); got != want {
		t.Errorf("default is printed as\n%s\nwant\n%s", got, want)
	}
}

// TestExample compares the example with the table: each directive once, in order, with its default,
// and its arguments and range in the comment above it.
func TestExample(t *testing.T) {
	text := read(t, "../../sendwrap.conf.example")
	var names []string
	above := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" && strings.HasSuffix(above, "\n\n") {
			above = "" // what stood above was no directive's
		}
		if line == "" || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "###") ||
			line == "#" {
			above += strings.TrimLeft(line, "# ") + "\n"
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "#"), " ")
		names = append(names, name)
		d := find(t, name)
		if commented := line[0] == '#'; commented == (name == "mta" || name == "allow") {
			t.Errorf("%s: is it commented out? only mta and allow are not", name)
		}
		if d.Default != "" && value != d.Default {
			t.Errorf("%s: %q; the default is %q", name, value, d.Default)
		}
		says(t, above, d.Name+" "+d.Args, d.Range)
		above = ""
	}
	if want := tableNames(); !reflect.DeepEqual(names, want) {
		t.Errorf("directives %s\nwant %s", names, want)
	}
}

// TestExampleLoads: the example is right and changes no default, as it is and with every directive
// active. It allows the loopback networks alone.
func TestExampleLoads(t *testing.T) {
	text := read(t, "../../sendwrap.conf.example")
	active := regexp.MustCompile(`(?m)^#([a-z])`).ReplaceAllString(text, "$1")
	for name, text := range map[string]string{"as it is": text, "all active": active} {
		path := write(t, text)
		writeAs(t, filepath.Join(filepath.Dir(path), "sendwrap.networks"), "allow 203.0.113.0/24\n")
		got, err := Load(path, allowlist.All())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n := got.Networks.Len(); (n > 2) != (name == "all active") {
			t.Errorf("%s: %d networks", name, n)
		}
		for _, own := range []string{"127.0.0.1", "127.255.0.9", "::1"} {
			if m := got.Networks.Match(mustAddr(own)); m.Access != rule.Allow {
				t.Errorf("%s: %s is not allowed", name, own)
			}
		}
		if n := len(got.Lists); (n > 0) != (name == "all active") {
			t.Errorf("%s: %d lists", name, n)
		}
		got.Networks, got.Files, got.Sources, got.lines = nil, nil, nil, nil
		got.Lists, got.listPlaces, got.Wide = nil, listPlaces{}, nil
		if want := Default(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

// TestManual compares the manual page with the table: each directive has an item, in order, with
// its arguments, range and default.
func TestManual(t *testing.T) {
	text := read(t, "../../docs/sendwrap.conf.5")
	_, list, _ := strings.Cut(text, "The directives are:")
	list, _, _ = strings.Cut(list, ".Sh ")
	var names []string
	for _, item := range strings.Split(list, "\n.It Ic ")[1:] {
		head, body, _ := strings.Cut(item, "\n")
		name, args, _ := strings.Cut(head, " ")
		names = append(names, name)
		d := find(t, name)
		if got := plain(".Ic " + args); got != d.Args {
			t.Errorf("%s: takes %q; want %q", name, got, d.Args)
		}
		says(t, plain(body), d.Range)
		_, value, found := strings.Cut(body, "\n.Pp\nDefault:\n.Ql ")
		value = strings.TrimSuffix(strings.TrimSuffix(value, "\n.El\n"), " .")
		if value = strings.ReplaceAll(value, `\-`, "-"); found != (d.Default != "") ||
			value != d.Default {
			t.Errorf("%s: default %q; want %q", name, value, d.Default)
		}
	}
	if want := tableNames(); !reflect.DeepEqual(names, want) {
		t.Errorf("directives %s\nwant %s", names, want)
	}
}

// TestManualExamples: the examples of the manual page work, and its errors are the real ones.
func TestManualExamples(t *testing.T) {
	text := read(t, "../../docs/sendwrap.conf.5")
	_, examples, _ := strings.Cut(text, ".Sh EXAMPLES")
	examples, errs, _ := strings.Cut(examples, ".Sh DIAGNOSTICS")
	shown := literals(examples)
	if len(shown) != 4 {
		t.Errorf("%d examples; want 4", len(shown))
	}
	for _, example := range shown {
		path := write(t, example)
		for _, name := range []string{"partners", "denied"} {
			writeAs(t, filepath.Join(filepath.Dir(path), "sendwrap.d", name), "")
		}
		if _, err := Load(path, allowlist.All()); err != nil {
			t.Errorf("%v\nin\n%s", err, example)
		}
	}
	// The diagnostics shown are those of lines like these.
	lines := make([]string, 14)
	lines[3-1] = "greet_delay 5"
	lines[5-1] = "client_conns 5"
	lines[7-1] = "greet_dealy 5s"
	lines[9-1] = "allow 192.0.2.1/24"
	lines[12-1] = "client_conns 6"
	lines[14-1] = "include denied"
	path := write(t, strings.Join(lines, "\n"))
	if err := os.Chmod(writeAs(t, filepath.Join(filepath.Dir(path), "denied"), ""),
		0o664); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, allowlist.All())
	got := strings.Join(errorLines(t, err, filepath.Dir(path), "/etc"), "\n") + "\n"
	if want := literals(errs)[0]; got != want {
		t.Errorf("the manual shows\n%sbut it reads\n%s", want, got)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func tableNames() []string {
	var names []string
	for _, d := range directives {
		names = append(names, d.Name)
	}
	return names
}

func find(t *testing.T, name string) directive {
	t.Helper()
	for _, d := range directives {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("no directive %q", name)
	return directive{}
}

// says expects phrases in a text, wherever its lines break.
func says(t *testing.T, text string, phrases ...string) {
	t.Helper()
	text = strings.Join(strings.Fields(text), " ")
	for _, phrase := range phrases {
		if !strings.Contains(text, phrase) {
			t.Errorf("%q\nis not said in\n%q", phrase, text)
		}
	}
}

// plain is mdoc source without its macros.
func plain(source string) string {
	var text strings.Builder
	for line := range strings.Lines(source) {
		end := " "
		if strings.HasPrefix(line, ".") {
			before, optional, found := strings.Cut(line[1:], "Op ")
			if found {
				line, end = before+"["+optional, "] "
			} else {
				line = line[1:]
			}
			line = macros.ReplaceAllString(delimiters.Replace(line), "")
		}
		text.WriteString(strings.TrimRight(line, "\n") + end)
	}
	return strings.TrimSpace(marks.Replace(text.String()))
}

var macros = regexp.MustCompile(`\b(?:Ic|Ar|Cm|Ql|Xr|Pp) `)

var marks = strings.NewReplacer(" Ns ", "", "[ ", "[", `\-`, "-")

var delimiters = strings.NewReplacer("Oo ", "[", " Oc", "]", " : Ns ", ":")

// literals are the displays of mdoc source.
func literals(source string) []string {
	var list []string
	for _, part := range strings.Split(source, ".Bd -literal -offset indent\n")[1:] {
		text, _, _ := strings.Cut(part, ".Ed")
		list = append(list, strings.ReplaceAll(text, `\-`, "-"))
	}
	return list
}
