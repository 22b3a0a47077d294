#!/bin/sh
# usage: run.sh COMMAND…
#
# Runs a command, mostly go test, so that it leaves nothing behind: its temporary files are in a
# directory that is removed, and root's processes in a namespace that ends. A run that SIGKILL ends
# leaves that directory, which the next run removes.
set -eu
tmp=${TMPDIR:-/tmp}

# A run has its lock. A pid is not enough: runs may be in pid namespaces, as the commands here are.
for lock in "$tmp"/sw??????/.lock-of-sendwrap; do
	test -e "$lock" || continue
	flock --nonblock "$lock" rm -rf --one-file-system "${lock%/*}" 2>/dev/null || : # that run lives
done
mine=''
command=''

# The namespace ends a little later than the process that has made it. Until then there are new
# files.
# shellcheck disable=SC2317 # a trap calls it
clean() {
	if test "$command"; then
		kill -KILL -"$command" 2>/dev/null || # which may not be a group yet
			kill -KILL "$command" 2>/dev/null || :
		wait "$command" || :
	fi
	tries=0
	until rm -rf --one-file-system "$mine" 2>/dev/null || test "$tries" = 600; do
		tries=$((tries + 1))
		sleep 0.1
	done
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

mine=$(mktemp -d "$tmp/swXXXXXX") # short: the names of sockets are in it
exec 9>"$mine/.lock"
flock 9
mv "$mine/.lock" "$mine/.lock-of-sendwrap"
chmod 755 "$mine" # daemons of the tests run as other users, too
export TMPDIR="$mine"

apart='unshare --pid --fork --kill-child --mount-proc --'
$apart true 2>/dev/null || apart=''

# In the background, so that a signal reaches this shell while the command runs. A shell makes its
# background processes ignore SIGINT and SIGQUIT, which the tests must not inherit. The command
# leads a process group, so that all of it can be ended, and ends with this shell, even if that has
# ended already.
# shellcheck disable=SC2016,SC2086 # its own parent; the words of a command
setsid setpriv --pdeathsig KILL sh -c 'test $PPID = "$0" && exec "$@"' $$ \
	env --default-signal $apart "$@" </dev/null 9<&- &
command=$!

status=0
wait "$command" || status=$?
exit "$status"
