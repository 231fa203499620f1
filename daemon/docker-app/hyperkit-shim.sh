#!/bin/sh
# tuntapd hyperkit shim. Put here by tuntapd; `tuntapctl shim show` prints it.
#
# Stands at hyperkit's path and starts hyperkit.original with one more NIC, `virtio-tap`, in front of the arguments
# as they came (their order means nothing to hyperkit). Whatever it does not understand, it starts unchanged. Only
# Docker's own VMs get the tap, not those of minikube, multipass or linuxkit, even on Docker's vpnkit: they are told by
# their pid file, or where there is none by a file in their own folder that their NIC has (vm/dockers-line.ts has the
# same rule and its reasons). No fork on the normal path; nothing here can end the shell before hyperkit is started.
# Digits are spelled out where a range could mean others, too, in somebody's locale.
set +eu -f
IFS=' '

tap=@DEVICE@
mac=@MAC@
tries=@TRIES@

# One line, whatever the arguments hold.
note() {
  case $1 in *[[:cntrl:]]*) set -- "${1%%[[:cntrl:]]*} ..." ;; esac
  /usr/bin/logger -t tuntapd "hyperkit shim: $1" 2>/dev/null || :
}

# With a slash in front `exec` looks nowhere else, and no name is taken for an option.
case $0 in
  /*) self=$0 ;;
  *) self=./$0 ;;
esac
# Reached through a symlink such as /usr/local/bin/hyperkit: the original lies beside the real file.
for _ in 1 2 3 4 5 6 7 8; do
  if [ -e "$self.original" ] || [ ! -L "$self" ]; then break; fi
  target=$(/usr/bin/readlink "$self") || break
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done
original=$self.original
if [ ! -f "$original" ] || [ ! -x "$original" ]; then
  message="$original is missing or not executable: Docker cannot start its VM. Reinstall Docker Desktop, the shim comes back by itself"
  note "$message"
  echo "tuntapd: $message" >&2
  exit 127
fi

# number TEXT MAX: sets n to what sscanf reads, without leading zeros, which a shell would take for octal. sscanf stops
# reading a number of more than 512 digits.
number() {
  n=$1
  case $n in '' | *[!0123456789]* | ????????????????????*) return 1 ;; esac
  while :; do
    case $n in 0?*) n=${n#0} ;; *) break ;; esac
  done
  case $n in ????*) return 1 ;; esac
  [ "$n" -le "$2" ]
}

# own OPTION: whether the NIC in $emulation names by it a file in the folder of a VM of Docker's.
own() {
  value=${emulation#*",$1="}
  [ "$value" != "$emulation" ] || return 1
  case ${value%%,*} in
    vms/* | */com.docker.driver.*/* | */com.docker.docker/Data/vms/*) ;;
    *) return 1 ;;
  esac
}

# [[bus:]slot[:func]],driver[,options] of -s (pci_emul.c): remembers the place, and the last NIC's. Slots are counted
# through all buses, 32 each, which is the order in which a guest meets them.
device() {
  place=${1%%,*}
  [ "$place" != "$1" ] || return 1
  emulation=${1#*,}
  driver=${emulation%%,*}
  case $place in
    *:*:*:*) return 1 ;;
    *:*:*)
      number "${place%%:*}" 255 || return 1
      bus=$n
      place=${place#*:}
      ;;
    *) bus=0 ;;
  esac
  case $place in
    *:*) number "${place#*:}" 7 || return 1 ;;
    *) n=0 ;;
  esac
  func=$n
  number "${place%%:*}" 31 || return 1
  slot=$((bus * 32 + n))
  places="$places$slot:$func "
  case $driver in
    virtio-vpnkit | virtio-ipc) if own macfile || own path; then dockers=yes; fi ;;
    virtio-net) ;;
    virtio-tap)
      case ${emulation#virtio-tap}, in
        ",$tap,"*) why="the NIC on $tap is already there" ;;
      esac
      ;;
    *) return 0 ;;
  esac
  if [ "$slot" -gt "$lastslot" ] || { [ "$slot" = "$lastslot" ] && [ "$func" -gt "$lastfunc" ]; }; then
    lastslot=$slot
    lastfunc=$func
  fi
}

# argument LETTER VALUE
argument() {
  case $1 in
    F)
      named=yes
      pidfile=$2
      ;;
    s) device "$2" || why="-s $2 is not understood" ;;
  esac
}

pending=
places=' '
lastslot=-1
lastfunc=
named=
pidfile=
dockers=
why=
novm=
for word in "$@"; do
  if [ -n "$pending" ]; then
    argument "$pending" "$word"
    pending=
    continue
  fi
  case $word in
    --) break ;;
    -?*) letters=${word#-} ;;
    *) break ;;
  esac
  while [ -n "$letters" ]; do
    more=${letters#?}
    letter=${letters%"$more"}
    letters=$more
    case $letter in
      v | h | M)
        novm=yes
        break 2
        ;;
      [beuwxACPWH]) ;;
      [YfFgcsmlU])
        if [ -n "$letters" ]; then argument "$letter" "$letters"; else pending=$letter; fi
        letters=
        ;;
      *)
        why="option -$letter is not understood"
        break 2
        ;;
    esac
  done
done

[ -z "$novm" ] || exec "$original" "$@"
[ -z "$pending" ] || why="option -$pending has no argument"
[ -n "$why" ] || [ "$lastslot" -ge 0 ] || why='there is no NIC that the tap could come after'
if [ -z "$why" ]; then
  case $named:$pidfile in
    :) [ -n "$dockers" ] || why='it is not a VM of Docker Desktop (no pid file, no NIC in the folder of one)' ;;
    yes:vms/* | yes:com.docker.* | yes:*/com.docker.*) ;;
    *) why="it is not a VM of Docker Desktop (-F $pidfile)" ;;
  esac
fi

# free SLOT FUNC: sets at to the first free function of the slot from FUNC on. A guest looks at functions 1-7 of a slot
# only when its function 0 is there.
free() {
  case $places in *" $1:0 "*) ;; *) return 1 ;; esac
  func=$2
  while [ "$func" -le 7 ]; do
    case $places in *" $1:$func "*) ;; *) at=$(($1 % 32)):$func && return ;; esac
    func=$((func + 1))
  done
  return 1
}

# After the last NIC in PCI order, so that the names of Docker's own NICs never move: beside it, or else in the next
# empty slot of its bus, or else beside a later device. A function 0 never comes before functions that are there
# already, for it would make a guest see them.
at=
if [ -z "$why" ] && ! free "$lastslot" $((lastfunc + 1)); then
  slot=$lastslot
  beside=
  while [ $((slot % 32)) -lt 31 ]; do
    slot=$((slot + 1))
    case $places in
      *" $slot:"*) [ -n "$beside" ] || ! free "$slot" 1 || beside=$at ;;
      *)
        beside=$((slot % 32)):0
        break
        ;;
    esac
  done
  at=$beside
  [ -n "$at" ] || why='no PCI place is free after the last NIC'
fi
[ "$lastslot" -lt 32 ] || at=$((lastslot / 32)):$at

# At boot Docker may be faster than the daemon that gives it the device. Without any tap device nothing would come.
if [ -z "$why" ] && { [ -e /dev/tap0 ] || [ -e "/dev/$tap" ]; }; then
  while [ ! -w "/dev/$tap" ] && [ "$tries" -gt 0 ]; do
    /bin/sleep 0.25 || tries=1
    tries=$((tries - 1))
  done
  [ -w "/dev/$tap" ] || why="/dev/$tap did not become writable in time"
fi

if [ -n "$why" ]; then
  note "hyperkit is started as it is: $why"
  exec "$original" "$@"
fi
exec "$original" -s "$at,virtio-tap,$tap,mac=$mac" "$@"
