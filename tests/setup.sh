#!/bin/sh
# Gets what the tests want: installs what is missing where root and apt-get can, and unpacks beside what conflicts with that.
# Starts no service. What cannot be had is left out, and the tests that need it skip, saying so.
set -eu

cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/sendwrap-tests
PATH=$PATH:/usr/sbin:/sbin

# A program or file that shows that its package is there, and the package.
wanted='
inetd                              openbsd-inetd
tcpserver                          ucspi-tcp
systemd-socket-activate            systemd
sendmail                           sendmail-bin
/usr/share/sendmail/cf/m4/cf.m4    sendmail-cf
m4                                 m4
/etc/services                      netbase
cc                                 gcc
/usr/include/stdio.h               libc6-dev
mandoc                             mandoc
ip                                 iproute2
/usr/lib/*/sasl2/libplain.so       libsasl2-modules
nft                                nftables
fail2ban-regex                     fail2ban
/usr/lib/python3/dist-packages/systemd/journal.py    python3-systemd
perl                               perl-base
'

# Packages that conflict with those: xinetd with openbsd-inetd, the tcpserver that knows IPv6 with the one that does not, Postfix
# with sendmail (tests/guard and make bench run it). systemd-journal-remote would bring a service along. And the libraries they
# are linked with.
beside='
xinetd/usr/sbin/xinetd                    xinetd
ucspi-tcp-ipv6/usr/bin/tcpserver          ucspi-tcp-ipv6
postfix/usr/sbin/postfix                  postfix
systemd-journal-remote/lib/systemd/systemd-journal-remote    systemd-journal-remote
'
libraries='
libwrap.so.0     libwrap0
libtirpc.so.3    libtirpc3
libdb-5.3.so     libdb5.3
libicuuc.so.72   libicu72
libnsl.so.2      libnsl2
libsasl2.so.2    libsasl2-2
libssl.so.3      libssl3
libmicrohttpd.so.12    libmicrohttpd12
'

present() {
	case $1 in
	/*)
		set -- $1 # which may be a pattern
		test -e "$1"
		;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing=$(echo "$wanted" | while read -r what package; do
	test -z "$what" || present "$what" || echo "$package"
done)
missing="$missing $(echo "$libraries" | while read -r what package; do
	test -z "$what" || ldconfig -p | grep -q "$what" || echo "$package"
done)"
to_unpack=$(echo "$beside" | while read -r what package; do
	test -z "$what" || test -x "$cache/$what" || echo "$package"
done)
test -n "$(echo $missing $to_unpack)" || exit 0

if ! test "$(id -u)" = 0 || ! command -v apt-get >/dev/null; then
	echo "setup: no root or no apt-get; without:" $missing $to_unpack
	exit 0
fi

# Installing must not start a mail server or an inetd here. A policy that is there already is its owner's.
policy=/usr/sbin/policy-rc.d
if ! test -e $policy; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q || echo "setup: apt-get update failed"
# One by one: another Debian calls a library by another name, and must not lose all the others for it.
for package in $missing; do
	apt-get install -q -y --no-install-recommends "$package" || echo "setup: could not install $package"
done
for package in $to_unpack; do
	echo "setup: unpacking $package in $cache"
	dir=$cache/$package
	rm -rf "$dir"
	mkdir -p "$dir/deb"
	(cd "$dir/deb" && apt-get download -q -o APT::Sandbox::User=root "$package") && dpkg -x "$dir"/deb/*.deb "$dir" ||
		echo "setup: could not unpack $package"
	rm -r "$dir/deb"
done
