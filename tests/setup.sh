#!/bin/sh
# Installs the packages of lab/packages.txt that are missing, where root and apt-get can, unpacks
# those that conflict with others elsewhere, and makes a Debian to install in. It starts no service.
# Packages that cannot be had are left out: the tests that need them are skipped, and say so.
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
while read -r what package beside; do
	case $what in '' | '#') continue ;; esac
	if present "$what"; then
		continue
	elif test "$beside"; then
		to_unpack="$to_unpack $package"
	else
		missing="$missing $package"
	fi
done <"$table"

# Debian's sendmail and inetd as their packages leave them: for the lines that OPERATIONS has for
# them.
debian=debian
test ! -e "$cache/debian/etc/mail/sendmail.cf" || debian=''
test "$missing$to_unpack$debian" || exit 0

if ! test "$(id -u)" = 0 || ! command -v apt-get >/dev/null; then
	echo "setup: no root or no apt-get; without:$missing$to_unpack $debian"
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
# One by one: where another Debian calls a library by another name, the others still come.
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
if test "$debian"; then
	echo "setup: installing a Debian in $cache/debian"
	# shellcheck source=/dev/null
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	rm -rf --one-file-system "$cache/debian" "$cache/debian.new"
	debootstrap --variant=minbase --include=sendmail,openbsd-inetd,make,netbase,procps \
		"$suite" "$cache/debian.new" >"$cache/debian.log" &&
		mv "$cache/debian.new" "$cache/debian" ||
		echo "setup: could not install a Debian; see $cache/debian.log"
fi
