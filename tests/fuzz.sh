#!/bin/sh
# usage: fuzz.sh DURATION
#
# Runs each fuzz target of the project for DURATION, 60s say, from the inputs in its testdata and from
# what earlier runs have found. An input that makes one fail is kept in testdata and shown.
set -eu
cd "$(dirname "$0")/.."
test $# = 1 || { echo "usage: fuzz.sh DURATION, 60s say" >&2; exit 2; }
status=0
# shellcheck disable=SC2013 # no name has blanks
for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "$(dirname "$file") $target"
		${GO:-go} test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$(dirname "$file")" || status=1
	done
done
exit $status
