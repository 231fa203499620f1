#!/bin/sh
# Prints the path of the runtime that npm brought for this Mac's processor and macOS; nothing when npm has not brought it. Ends with 1
# and says why on a macOS that none runs on. With macOS's own tools alone; the same rule as runtimes.ts.
set -eu
cd "$(dirname "$0")/.."

# With SYSTEM_VERSION_COMPAT=1 in the environment every macOS is 10.16.
macos=$(/usr/bin/env -i /usr/bin/sw_vers -productVersion)
major=${macos%%.*}
minor=${macos#"$major"}
minor=${minor#.}
minor=${minor%%.*}
minor=${minor:-0}
case ${major:-none}$minor in
  *[!0-9]*)
    echo "sw_vers says that this is macOS '$macos', which is no version" >&2
    exit 1
    ;;
esac

if [ "$major" -gt 13 ] || { [ "$major" -eq 13 ] && [ "$minor" -ge 5 ]; }; then
  wanted=current
elif [ "$major" -gt 10 ] || { [ "$major" -eq 10 ] && [ "$minor" -ge 15 ]; }; then
  wanted=old
else
  echo "tuntapd needs macOS 10.15 or newer, and this is macOS $macos. Nothing was done." >&2
  exit 1
fi

# The kernel's own: by Rosetta `uname -m` is that of an Intel Mac.
case $(/usr/bin/uname -v) in
  *_ARM64*) processor=arm64 ;;
  *) processor=x64 ;;
esac

for node in "$PWD"/node_modules/node-*-"$processor"/bin/node; do
  case $node in
    "$PWD"/node_modules/node-*-old-x64/bin/node | "$PWD"/node_modules/node-*-11-arm64/bin/node) found=old ;;
    *) found=current ;;
  esac
  if [ "$found" = "$wanted" ] && [ -x "$node" ]; then
    echo "$node"
    exit
  fi
done
