#!/bin/bash
# Usage: enter.sh CHECKOUT LIBRARIES CACHE OPTIONS
# Makes the namespaces of a lab Mac and runs its machine in them until that ends, then leaves nothing behind.
#   CHECKOUT   the repository, visible in the lab at its own path
#   LIBRARIES  what test/lab/build.mjs made (build/lab)
#   CACHE      the VM images, read-only at /.lab/cache in the lab; may be empty
#   OPTIONS    JSON for test/lab/mac/machine.ts
# stdin is the lease: at its end the machine ends the lab. On fd 3 the lab reports: `pid N` (its pid 1, as seen from
# outside), then `ready`.
set -euo pipefail

# A shell that `su` gave has none of root's folders.
export PATH=$PATH:/usr/sbin:/sbin
# Whatever the caller's is, other users of the lab Mac read what is laid out for them.
umask 022

if [ "${1:-}" != --inside ]; then
  needed=(ip perl tini setpriv nsenter unshare mount umount ps chattr npm dnsmasq gcc)
  [ -z "$3" ] || needed+=(qemu-system-x86_64 qemu-img)
  for tool in "${needed[@]}"; do
    command -v "$tool" >/dev/null || {
      echo "the lab needs $tool: test/lab/dependencies.sh installs what Debian has of it" >&2
      exit 1
    }
  done
  # Own mounts before anything else: the host keeps its own as they are.
  exec unshare --mount -- "$BASH" "$0" --inside "$@"
fi
shift
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=test/lab/registry.sh
. "$here/registry.sh"

# Labs that lost their guardian too (a power cut of the container, kill -9 of everything) are swept here.
for entry in "$registry"/tuntapd-lab-*; do
  pid=${entry##*-}
  [ -e "$entry" ] || continue
  # Its guardian, or another lab that starts, may be first.
  grep -qs enter.sh "/proc/$pid/cmdline" || { echo -1 >"$entry"; } 2>/dev/null || true
done

entry=$registry/tuntapd-lab-$$
# Never written to; only who holds it counts.
# shellcheck disable=SC2034
exec {lease}> >(exec 3>&- && exec setsid "$BASH" "$here/guardian.sh" "$entry")
trap '[ ! -e "$entry" ] || echo -1 >"$entry"' EXIT

# The header of a thin x86_64 Mach-O executable with the mark that test/lab/docker/mach-o.ts sets: anybody else's is
# left to whatever else the machine has for it. P keeps argv[0]. The interpreter is looked up in the root of whoever
# executes, hence in the lab that he lives in.
zeros='\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'
magic='\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00'"$zeros"'lab\x21'
ones='\xff\xff\xff\xff'
mask=$ones$ones$ones$ones$zeros$ones
printf '%s' ":${entry##*/}:M::$magic:$mask:/.lab/bin/macho:P" >"$registry/register"

# Killed from outside, this shell takes unshare with it, unshare its child, and that, as pid 1, all the rest.
status=0
setpriv --pdeathsig KILL -- \
  unshare --mount --pid --net --uts --ipc --fork --kill-child -- "$BASH" "$here/disk.sh" "$@" || status=$?
exit "$status"
