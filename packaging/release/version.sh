# shellcheck shell=sh
# Sourced at the top of the source: sets version, and SOURCE_DATE_EPOCH unless it is set.
#
# A commit after a version is newer than the version. Without a repository this is the source that
# `make dist` has packed: each file has the time of the commit.
version=$(sed -n 's/^const Version = "\(.*\)"$/\1/p' wrapper/door.go)
if test -e .git && commit=$(git rev-parse --short=12 HEAD); then
	: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
	test "$(git tag --points-at HEAD --list "v$version")" ||
		version=$version+git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M%S).$commit
else
	: "${SOURCE_DATE_EPOCH:=$(stat -c %Y CHANGELOG.md)}"
fi
version=${VERSION:-$version}
export version SOURCE_DATE_EPOCH
