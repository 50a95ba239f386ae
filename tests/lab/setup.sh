# shellcheck shell=bash
# For tests/run, .ci/run and contrib/try: get a bare machine ready without opening anything on it.

package_list=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/packages

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

# packages_missing GROUP... : the packages of these groups that are not installed, one a line
packages_missing() {
	local package groups services group
	while read -r package groups services; do
		for group in "$@"; do
			[ "$group" = "$groups" ] || continue
			[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
				echo "$package"
		done
	done < <(grep -v '^#' "$package_list")
}

# packages_install PACKAGE... : in a subshell, so that its trap cannot collide with the caller's.
# Debian starts and enables servers when it installs them; these here serve tests only.
packages_install() (
	[ $# -gt 0 ] || exit 0
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	apt-get update -q && apt-get install -q -y --no-install-recommends "$@" </dev/null || exit 1
	while read -r package _ services; do
		case " $* " in *" $package "*) ;; *) continue ;; esac
		for service in $services; do
			# Debian 13 has put samba-ad-dc into a package of its own.
			[ -e "/etc/init.d/$service" ] || continue
			if command -v systemctl >/dev/null; then
				systemctl disable --quiet "$service"
			else
				update-rc.d "$service" disable
			fi
		done
	done < <(grep -v '^#' "$package_list")
)

# need_root WHY : sudo is part of the documented command, not something to do behind the user's back
need_root() {
	[ "$(id -u)" = 0 ] || die "$1: run it as root (sudo $0)"
}

need_fuse() {
	[ -c /dev/fuse ] || modprobe -q fuse 2>/dev/null || true
	[ -c /dev/fuse ] || die "there is no /dev/fuse: the kernel or the container lacks FUSE"
}
