#!/bin/sh
# usage: fuzz.sh DURATION
#
# Runs each fuzz target of the project for DURATION (60s, for example), from the inputs in its
# testdata and those of earlier runs. An input that makes a target fail is kept in testdata and
# shown.
set -eu
cd "$(dirname "$0")/.."
test $# = 1 || { echo "usage: fuzz.sh DURATION, for example 60s" >&2; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

# On a busy machine Go may take the end of DURATION for a failure of the target
# (golang.org/issue/75804, fixed in Go 1.27). It then prints only this, and keeps no input.
only_time_is_up() {
	sed -n '/^--- FAIL: /,$p' "$dir/output" >"$dir/failure"
	test "$(sed -n 2p "$dir/failure")" = '    context deadline exceeded' &&
		test "$(sed -n 3p "$dir/failure")" = FAIL &&
		! grep -q 'Failing input written' "$dir/output"
}

# Go makes an input that reaches new code shorter for a minute before it goes on: of a target that
# takes 64 KiB, nothing else would be tried.
shorten=100x # tries

status=0
# shellcheck disable=SC2013 # no name has blanks
for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		package=$(dirname "$file")
		echo "$package $target"
		rm -f "$dir/passed"
		{
			${GO:-go} test -run '^$' -fuzz "^$target\$" -fuzztime "$1" \
				-fuzzminimizetime "$shorten" "$package" 2>&1 && : >"$dir/passed"
		} | tee "$dir/output"
		if test -e "$dir/passed"; then
			continue
		elif only_time_is_up; then
			echo "$package $target: no input has failed: passed"
		else
			status=1
		fi
	done
done
exit $status
