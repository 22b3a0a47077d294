#!/bin/sh
# usage: slow.sh [PACKAGE…]
#
# Runs the tests of the packages (all of them) as a slow and busy machine would: every CPU is kept busy by
# four endless loops of the same priority as the tests, and the tests are pinned to one CPU. What passes
# here does not depend on how fast the machine is. $GO_TEST_FLAGS are handed to go test.
set -eu
cd "$(dirname "$0")/.."
test $# -gt 0 || set -- ./...
unpacked=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sendwrap-tests
PATH=$PATH:/usr/sbin:/sbin:$unpacked/xinetd/usr/sbin
export PATH

# Compiling is not what is to be slow.
${GO:-go} test -race -count=1 -run '^$' "$@" >/dev/null

# A loop ends with this script, whatever ends it.
loop() {
	while kill -0 $$ 2>/dev/null; do
		i=0
		while test $i -lt 100000; do i=$((i + 1)); done
	done
}
cpu=0
while test $cpu -lt "$(nproc)"; do
	for _ in 1 2 3 4; do
		loop &
		taskset -p -c $cpu $! >/dev/null
	done
	cpu=$((cpu + 1))
done
trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM

# shellcheck disable=SC2086 # the flags are words
taskset -c 0 tests/run.sh ${GO:-go} test -race -count=1 -p 1 -timeout 90m ${GO_TEST_FLAGS:-} "$@"
