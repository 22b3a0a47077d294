package admin

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/doctor"
	"sendwrap/wrapper/surroundings"
)

// examination is what doctor finds, as JSON.
type examination struct {
	Version  int              `json:"version"` // of this object: see examinationVersion
	Here     []doctor.Fact    `json:"here"`
	Findings []doctor.Finding `json:"findings"` // the worst first
}

// examinationVersion changes when a member of the object changes its meaning or goes away.
const examinationVersion = 1

// examine looks at the machine for what would lose or refuse honest mail.
func examine(c *call) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	noDNS, asJSON := flags.Bool("n", false, ""), flags.Bool("json", false, "")
	if err := c.parse(flags, 0, 0); err != nil {
		return err
	}
	cfg, mistakes, err := c.config()
	if err != nil {
		return err
	}
	d := &configured{&wrapper.Door{Policy: cfg.Policy()}, cfg}
	if err := c.openExisting(d); err != nil {
		fmt.Fprintf(c.stderr, "sendwrap: %v; looked at as without a ledger\n", err)
	}
	site := &doctor.Site{Config: cfg, Machine: surroundings.Here(), Ledger: d.Ledger.Ledger}
	if !*noDNS && d.asksDNS() {
		site.Lists, site.Resolvers = c.tested(d)
	}
	// Not nil: where nothing is found, programs read [], and not null.
	found := examination{examinationVersion, append([]doctor.Fact{}, site.Facts()...),
		append([]doctor.Finding{}, site.Findings(false)...)}
	if *asJSON {
		err = json.NewEncoder(c.stdout).Encode(found)
	} else {
		c.printExamination(&found)
		if mistakes > 0 {
			fmt.Fprintf(c.stderr, "%s in the configuration\n", plural(mistakes, "error"))
		}
	}
	if err == nil && slices.ContainsFunc(found.Findings, func(f doctor.Finding) bool {
		return f.Severity > doctor.Note
	}) {
		return errFound
	}
	return err
}

// tested tests lists and resolvers. If no resolver answers, the lists are not to blame.
func (c *call) tested(d *configured) (lists, resolvers []doctor.Tested) {
	tests, servers := c.askDNS(d)
	for _, t := range servers {
		_, fault := t.state()
		resolvers = append(resolvers, doctor.Tested{Name: t.server.String(), Fault: fault})
	}
	if !slices.ContainsFunc(servers, (*resolverTest).answers) {
		return nil, resolvers
	}
	for _, t := range tests {
		_, fault := t.state()
		lists = append(lists, doctor.Tested{Name: t.list.Name, Fault: fault})
	}
	return lists, resolvers
}

// printExamination prints what is here, then each finding in some lines.
func (c *call) printExamination(found *examination) {
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	for _, fact := range found.Here {
		fmt.Fprintf(w, "%s\t%s\n", fact.Name, printable(fact.Text))
	}
	w.Flush()
	for i := range found.Findings {
		f := &found.Findings[i]
		fmt.Fprintf(c.stdout, "\n%v: %s\n  %s: %s\n", f.Severity, f.Key, printable(f.Where),
			printable(f.What))
		fmt.Fprintf(c.stdout, "  then:  %s\n  write: %s\n", f.Then, printable(f.Write))
	}
	if len(found.Findings) == 0 {
		fmt.Fprintln(c.stdout, "\nnothing found")
	}
}

// printQuick prints a line for each finding that takes no time to look for.
func (c *call) printQuick(cfg *config.Config) {
	site := &doctor.Site{Config: cfg, Machine: surroundings.Here()}
	for _, f := range site.Findings(true) {
		fmt.Fprintln(c.stderr, printable(f.String()))
	}
}

// printable replaces what a terminal would obey by ?. Names and command lines of processes are
// chosen by whoever starts them, and names of files may have anything in them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
