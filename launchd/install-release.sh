#!/bin/sh
# `sudo ./install`: says what it does, then installs this release of tuntapd. `./install --plan` only says so. Homebrew
# has it as tuntapd-install.
# With macOS's own tools alone: neither npm nor a network is needed.
set -eu
cd "$(dirname "$0")"

# The folder that Homebrew keeps what it installs in is a Cellar (origin.ts).
case $(pwd -P) in
  */Cellar/tuntapd/*) command=tuntapd-install ;;
  *) command=./install ;;
esac

case $#${1:-} in
  0) only_says= ;;
  1--plan) only_says=yes ;;
  *)
    echo "usage: sudo $command, or $command --plan" >&2
    exit 2
    ;;
esac
if [ "$(/usr/bin/uname -s)" != Darwin ] || [ ! -x /usr/bin/sw_vers ]; then
  echo 'This is not macOS, and tuntapd is for Macs.' >&2
  exit 1
fi
if [ -z "$only_says" ] && [ "$(/usr/bin/id -u)" != 0 ]; then
  echo "This needs root: sudo $command" >&2
  exit 1
fi
node=$(launchd/runtime.sh)
if [ -z "$node" ]; then
  case $(/usr/bin/uname -v) in *_ARM64*) processor=arm64 ;; *) processor=x86_64 ;; esac
  if [ "$command" = tuntapd-install ]; then
    echo "This Homebrew brings programs for the other kind of Mac. Install tuntapd with one for $processor. Nothing was done." >&2
  else
    echo "This release is for the other kind of Mac: take the one whose name ends with -$processor. Nothing was done." >&2
  fi
  exit 1
fi

launchd/plan.sh "$(sed -n 's/^  "version": "\(.*\)",$/\1/p' build/product/manifest.json)"
if [ -n "$only_says" ]; then
  echo 'Nothing was done: --plan only says what would be.'
  exit
fi
# Nothing of the caller's environment (NODE_OPTIONS, DYLD_*) reaches the runtime.
exec /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "$node" build/product/lib/install.mjs release
