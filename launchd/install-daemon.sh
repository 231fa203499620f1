#!/bin/sh
# `sudo make install-daemon`: says what it does, builds as the invoking user, then installs as root. With PLAN=1 it only
# says so.
# Runs with macOS's own tools alone.
set -eu
cd "$(dirname "$0")/.."

if [ "$(/usr/bin/uname -s)" != Darwin ] || [ ! -x /usr/bin/sw_vers ]; then
  echo 'This is not macOS, and tuntapd is for Macs. To see it at work here: make demo' >&2
  exit 1
fi
case ${PLAN:-} in
  1 | [Yy][Ee][Ss] | [Tt][Rr][Uu][Ee]) only_says=yes ;;
  '' | 0 | [Nn][Oo] | [Ff][Aa][Ll][Ss][Ee]) only_says= ;;
  *)
    echo "PLAN=$PLAN is neither yes nor no. Give PLAN=1, or leave it out. Nothing was done." >&2
    exit 2
    ;;
esac
if [ -z "$only_says" ] && [ "$(/usr/bin/id -u)" != 0 ]; then
  echo 'This needs root: sudo make install-daemon' >&2
  exit 1
fi
node=$(launchd/runtime.sh)

# Nothing of the caller's environment (NODE_OPTIONS, DYLD_*) reaches the runtime.
runtime() {
  /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "$node" "$@"
}

# Whose build it is: of whoever typed sudo, but a checkout that is root's is nobody's to write in.
# shellcheck disable=SC2012 # stat's options differ between BSD and GNU, and `.` is no strange name
owner=$(ls -ld . | awk '{print $3}')
# A uid without a name.
case $owner in *[!0-9]*) ;; *) owner="#$owner" ;; esac
builder=${SUDO_USER:-root}
if [ "$builder" = root ] || [ "$owner" = root ]; then builder=$owner; fi

version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)
launchd/plan.sh "$version" "$builder"
if [ -n "$only_says" ]; then
  echo 'Nothing was done: PLAN=1 only says what would be.'
  exit
fi

if [ -z "$node" ] || ! runtime launchd/dependencies.mjs; then
  if [ "$builder" = root ]; then
    echo "The packages are not those of package-lock.json, and npm is never run as root. Give $PWD to an ordinary" >&2
    echo "account (sudo chown -R NAME '$PWD'), and then, in that account: sudo make install-daemon" >&2
    exit 1
  fi
  echo "Installing packages as $builder"
  /usr/bin/sudo -H -u "$builder" npm ci
  node=$(launchd/runtime.sh)
fi
if [ -z "$node" ]; then
  case $(/usr/bin/uname -v)$(/usr/bin/sudo -H -u "$builder" node -p process.arch) in
    *_ARM64*x64)
      echo "This Mac has Apple silicon, and the node of $builder is one for Intel, run by Rosetta, to which npm gives" >&2
      echo 'packages for Intel. Install a node for Apple silicon, and then, as yourself: rm -rf node_modules && npm ci' >&2
      ;;
    *)
      echo 'npm has brought no runtime for this Mac: does it leave out optional packages (npm config get omit)?' >&2
      echo 'Have it bring them, as yourself and never as root: rm -rf node_modules && npm ci --include=optional' >&2
      ;;
  esac
  exit 1
fi

if ! runtime launchd/build.mjs --check; then
  if [ "$builder" = root ]; then
    runtime launchd/build.mjs --unprivileged || {
      echo "The compiler is never run as root, and nobody could not read this checkout. Let others read it" >&2
      echo "(sudo chmod -R go+rX '$PWD', and every folder above it), and then this again" >&2
      exit 1
    }
  else
    echo "Building as $builder"
    /usr/bin/sudo -H -u "$builder" /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "$node" launchd/build.mjs
  fi
fi

exec /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin LC_ALL=C "$node" build/product/lib/install.mjs
