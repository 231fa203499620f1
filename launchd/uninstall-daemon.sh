#!/bin/sh
# `sudo make uninstall-daemon [PURGE=1] [FORCE=1]`: by the installed uninstaller, so that no build is needed.
set -eu
cd "$(dirname "$0")/.."

if [ "$(/usr/bin/uname -s)" != Darwin ] || [ ! -x /usr/bin/sw_vers ]; then
  echo 'This is not macOS: tuntapd is not installed here.' >&2
  exit 1
fi
if [ "$(/usr/bin/id -u)" != 0 ]; then
  echo 'This needs root: sudo make uninstall-daemon' >&2
  exit 1
fi

clean() {
  exec /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C PURGE="${PURGE:-}" FORCE="${FORCE:-}" "$@"
}

if [ -x /opt/tuntapd/bin/node ] && [ -f /opt/tuntapd/lib/uninstall.mjs ]; then
  clean /opt/tuntapd/bin/node /opt/tuntapd/lib/uninstall.mjs
fi
node=$(launchd/runtime.sh)
if [ -n "$node" ] && [ -f build/product/lib/uninstall.mjs ]; then
  clean "$node" build/product/lib/uninstall.mjs
fi
echo 'There is no /opt/tuntapd to uninstall. To remove leftovers: make build, and then this again' >&2
exit 1
