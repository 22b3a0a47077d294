#!/bin/sh
# usage: run.sh COMMAND…
#
# Runs a command, go test mostly, so that it leaves no file and no process behind, however it ends: its
# temporary files are in a directory that goes, and for root its processes are in a namespace that goes.
set -eu
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/swXXXXXX")
export TMPDIR
chmod 755 "$TMPDIR" # daemons of the tests run as other users, too
apart='unshare --pid --fork --kill-child --mount-proc --'
$apart true 2>/dev/null || apart=''

# In the background, since a signal must reach this shell while the command runs. A shell has what is in
# its background ignore SIGINT and SIGQUIT, which the tests must not inherit. Its session is its own, so
# that all of it can be ended.
# shellcheck disable=SC2086 # the words of a command
setsid env --default-signal $apart "$@" </dev/null &
command=$!
trap 'kill -KILL -"$command" 2>/dev/null || :; wait "$command" || :; rm -rf --one-file-system "$TMPDIR"' EXIT
trap 'exit 1' HUP INT TERM
status=0
wait "$command" || status=$?
exit "$status"
