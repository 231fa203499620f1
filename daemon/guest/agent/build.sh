#!/bin/bash
# Builds the agent for both processors with the compilers of one Debian suite, so that everybody gets the same bytes.
# usage: build.sh FOLDER   (as root on Debian; needs debootstrap. The compilers are kept for the next time.)
set -euo pipefail
suite=bookworm
# With the suite this decides over every byte: what it prints is compared before anything is built.
compilers='12.2.0-14+deb12u1 12.2.0-14cross1'
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cache=${TUNTAPD_LAB_CACHE:-/var/cache/tuntapd-lab}
root=$cache/compilers-$suite

if [ ! -e "$root/complete" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/.compilers.XXXXXX")
  # debootstrap mounts /proc and /sys inside; nothing of that may stay, whatever happened.
  unmount() {
    for mount in proc sys dev; do
      if mountpoint -q "$work/$mount"; then umount -l "$work/$mount"; fi
    done
  }
  forget() {
    unmount
    rm -rf --one-file-system "$work"
  }
  trap forget EXIT
  trap 'exit 130' INT TERM
  mirror=$("$here/../../../test/lab/vm/mirror.sh" "$suite")
  debootstrap --variant=minbase --include=gcc-12,gcc-12-aarch64-linux-gnu "$suite" "$work" "$mirror" \
    >"$work.log" 2>&1 || {
    tail -n 20 "$work.log" >&2
    exit 1
  }
  rm -f "$work.log"
  unmount
  rm -rf "$work/var/cache/apt/archives" "$work/usr/share/doc" "$work/usr/share/locale"
  touch "$work/complete"
  rm -rf --one-file-system "$root"
  mv -T "$work" "$root"
  trap - EXIT INT TERM
fi

# shellcheck disable=SC2016 # a placeholder of dpkg-query
found=$(chroot "$root" dpkg-query --show --showformat '${Version} ' gcc-12 gcc-12-aarch64-linux-gnu)
[ "${found% }" = "$compilers" ] || {
  echo "the compilers of $suite are $found, not $compilers: build the agent anew with them, and say so" >&2
  exit 1
}
mkdir -p "$root/agent"
cp "$here/agent.c" "$here/system.h" "$root/agent/"
for target in amd64:gcc-12 arm64:aarch64-linux-gnu-gcc-12; do
  chroot "$root" "${target#*:}" -std=c11 -Os -Wall -Wextra -Werror \
    -ffreestanding -fno-builtin -nostdlib -static -fno-pie -no-pie -fno-stack-protector \
    -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
    -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s \
    -o "/agent/${target%%:*}.agent" /agent/agent.c
  cp "$root/agent/${target%%:*}.agent" "$folder/"
done
(cd "$folder" && sha256sum amd64.agent arm64.agent >SHA256SUMS && cat SHA256SUMS)
