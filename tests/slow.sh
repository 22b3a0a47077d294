#!/bin/sh
# usage: slow.sh [PACKAGE…]
#
# Runs the tests of the packages (by default all) as on a slow and busy machine: four endless loops
# of the same priority as the tests keep every CPU busy, and the tests are pinned to one CPU. A test
# that passes here does not depend on speed. $GO_TEST_FLAGS, -race for example, go to go test.
set -eu
cd "$(dirname "$0")/.."
test $# -gt 0 || set -- ./...
PATH=$PATH:/usr/sbin:/sbin
export PATH

# Compiling need not be slow.
# shellcheck disable=SC2086 # the flags are words
${GO:-go} test ${GO_TEST_FLAGS:-} -exec true "$@" >/dev/null

# The loops end with this process, which becomes the tests'. One that starts later ends by itself.
# shellcheck disable=SC2016 # the loop's own parent
loop='test $PPID = "$0" && while :; do :; done'
cpus=$(taskset -c -p $$ | sed 's/.*: //' | tr , '\n' |
	while IFS=- read -r from to; do seq "$from" "${to:-$from}"; done)
for cpu in $cpus; do
	for _ in 1 2 3 4; do
		taskset -c "$cpu" setpriv --pdeathsig KILL sh -c "$loop" $$ &
	done
done

# shellcheck disable=SC2086 # the flags are words
exec taskset -c "$cpu" tests/run.sh \
	${GO:-go} test -count=1 -p 1 -timeout 90m ${GO_TEST_FLAGS:-} "$@"
