#!/bin/sh
# Installs the packages of lab/packages.txt that are missing, where root and apt-get can, unpacks
# those that conflict with others, or that only Debian 13 has, elsewhere, and makes a Debian to
# install in. It starts no service. Packages that cannot be had are left out: the tests that need
# them are skipped, and say so.
set -eu

table=$(dirname "$0")/lab/packages.txt
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sendwrap-tests
PATH=$PATH:/usr/sbin:/sbin

# Two runs at once would disturb each other.
mkdir -p "$cache"
exec 9>"$cache/lock"
if command -v flock >/dev/null; then flock 9; fi

# present reports whether a file, a pattern of files, a program, or a file of the cache exists.
present() {
	case $1 in
	/*)
		# shellcheck disable=SC2086 # it may be a pattern
		set -- $1
		test -e "$1"
		;;
	*/*) test -x "$cache/$1" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing=''
to_unpack=''
newer=''
while read -r what package where; do
	case $what in '' | '#') continue ;; esac
	if present "$what"; then continue; fi
	case $where in
	beside) to_unpack="$to_unpack $package" ;;
	trixie) newer="$newer $package" ;;
	*) missing="$missing $package" ;;
	esac
done <"$table"

# Debian 12 and 13 with sendmail and inetd as their packages leave them, but for what it does on a
# busy machine: to install our own package there, and packages that they have downloaded.
suites=''
busy=/etc/mail/m4/busy.m4
present "$cache/debian12$busy" || suites=bookworm
present "$cache/debian13$busy" || suites="$suites trixie"
test "$missing$to_unpack$newer$suites" || exit 0

if ! test "$(id -u)" = 0 || ! command -v apt-get >/dev/null; then
	echo "setup: no root or no apt-get; without:$missing$to_unpack$newer $suites"
	exit 0
fi

# Installing must not start a mail server or an inetd here. An existing policy stays.
policy=/usr/sbin/policy-rc.d
if ! test -e $policy; then
	trap 'rm -f $policy' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q || echo "setup: apt-get update failed"
# All at once, which is faster, or one by one: where another Debian calls a library by another name,
# the others still come.
# shellcheck disable=SC2086 # words
test ! "$missing" || apt-get install -q -y --no-install-recommends $missing ||
	for package in $missing; do
		apt-get install -q -y --no-install-recommends "$package" ||
			echo "setup: could not install $package"
	done
for package in $to_unpack; do
	echo "setup: unpacking $package in $cache"
	dir=$cache/$package
	rm -rf "$dir"
	mkdir -p "$dir/deb"
	(cd "$dir/deb" && apt-get download -q -o APT::Sandbox::User=root "$package") &&
		dpkg -x "$dir"/deb/*.deb "$dir" ||
		echo "setup: could not unpack $package"
	rm -r "$dir/deb"
done
mirror=http://deb.debian.org/debian
for package in $newer; do
	dir=$cache/$package
	echo "setup: unpacking $package of Debian 13, with what it needs, in $dir"
	rm -rf --one-file-system "$dir" "$dir.new"
	mmdebstrap --variant=extract --include="$package" trixie "$dir.new" $mirror 2>"$dir.log" &&
		mv "$dir.new" "$dir" || echo "setup: could not unpack $package; see $dir.log"
done
# Where a machine's name is no full one, sendmail waits for a minute again and again. On a busy
# machine it closes its ports, and queues its mail. To configure it takes seconds of CPU, which the
# tests need not take.
# shellcheck disable=SC2016 # for the shell there
export configure='
apt-get clean
apt-get install -q -y --no-install-recommends --download-only exim4-daemon-light systemd xinetd
printf "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 mx.test mx\n" >/etc/hosts
printf "define(%s, 10000)dnl\n" confQUEUE_LA confREFUSE_LA >'$busy'
for mc in sendmail submit; do echo "include('$busy')dnl" >>/etc/mail/$mc.mc; done
yes "" | sendmailconfig --no-reload'
for suite in $suites; do
	case $suite in bookworm) dir=$cache/debian12 ;; *) dir=$cache/debian13 ;; esac
	echo "setup: installing a Debian in $dir"
	rm -rf --one-file-system "$dir" "$dir.new"
	# With pids of its own, since Debian's sendmail, when installed, ends all that is called so.
	# shellcheck disable=SC2016 # words of other shells
	unshare --uts --pid --fork --mount-proc sh -ec 'hostname mx.test && exec "$@"' sh \
		mmdebstrap --variant=minbase --include=sendmail,openbsd-inetd,netbase,procps \
		--skip=cleanup/apt --customize-hook='chroot "$1" sh -ec "$configure"' \
		"$suite" "$dir.new" $mirror 2>"$dir.log" && mv "$dir.new" "$dir" ||
		echo "setup: could not install a Debian; see $dir.log"
done
