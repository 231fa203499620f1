#!/bin/bash
# Installs what the lab needs from Debian, if anything is missing. As root.
set -euo pipefail

# A shell that `su` gave has none of root's folders.
export PATH=$PATH:/usr/sbin:/sbin
command -v apt-get >/dev/null || {
  echo 'The lab runs on Debian 12 or newer: there is no apt-get here.' >&2
  exit 1
}
packages=(
  qemu-system-x86 qemu-utils debootstrap tini busybox-static e2fsprogs kmod procps iproute2
  iptables curl shellcheck zsh util-linux xz-utils ca-certificates strace attr qemu-user gcc libc6-dev
  dnsmasq-base
)
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

echo "Installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
