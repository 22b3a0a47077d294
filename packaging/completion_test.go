package packaging

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// shells run the files of completion/ as completion would, with the words that were typed as
// arguments, and print what can be written in place of the last.
var shells = map[string]string{
	"bash": `. ./completion/bash
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_sendwrap "$1"
		printf '%s\n' "${COMPREPLY[@]}"`,
	"zsh": `compadd() { print -l -- ${(M)${(P)2}:#$words[CURRENT]*} }
		_files() { :; }
		complete() {
			local -a words=("$@")
			local CURRENT=$#
			. ./completion/zsh
		}
		complete "$@"`,
}

// Both shells complete each command of the program and its flags, and nothing else.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for shell, script := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			lab.NeedProgram(t, shell)
			complete := func(words ...string) []string {
				args := append([]string{"-c", script, shell, program()}, words...)
				return sorted(strings.Fields(must(t, shell, args...)))
			}
			commands := complete("")
			if want := allCommands(t); !slices.Equal(commands, want) || len(want) < 15 {
				t.Errorf("commands are %q; want %q", commands, want)
			}
			if got := complete("un"); !slices.Equal(got, []string{"unblock"}) {
				t.Errorf("un is completed to %q", got)
			}
			for _, command := range commands {
				got, want := complete(command, "-"), flagsOf(t, command)
				if !slices.Equal(got, want) {
					t.Errorf("flags of %s are %q; want %q", command, got, want)
				}
			}
		})
	}
}

// allCommands are those that the program's help names.
func allCommands(t *testing.T) (all []string) {
	t.Helper()
	help := must(t, program(), "help")
	usage := regexp.MustCompile(`\n +sendwrap ([a-z]+)`)
	for _, found := range usage.FindAllStringSubmatch(help, -1) {
		all = append(all, found[1])
	}
	return sorted(all)
}

// flagsOf are those in the first line of a command's help. Two have none, and ignore their
// arguments.
func flagsOf(t *testing.T, command string) []string {
	t.Helper()
	if command == "help" || command == "version" {
		return []string{"-f"}
	}
	usage, _, _ := strings.Cut(must(t, program(), command, "-h"), "\n")
	return sorted(regexp.MustCompile(`-[a-z]+`).FindAllString(usage, -1))
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}
