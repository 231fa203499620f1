#!/bin/sh
# tuntapd hyperkit shim, version 1. Put here by tuntapd; `tuntapctl shim show` prints it.
#
# Stands at hyperkit's path and starts hyperkit.original with one more NIC, `virtio-tap`, in front of the arguments
# as they came (their order means nothing to hyperkit). Whatever it does not understand, it starts unchanged. Only
# Docker's own VMs get the tap (a vpnkit or Docker-ipc NIC, or Docker's pid file), not those of minikube or multipass.
# No fork on the normal path; nothing here can end the shell before hyperkit is started.
set -f
IFS=' '

tap=@DEVICE@
mac=@MAC@
tries=@TRIES@

log() {
  /usr/bin/logger -t tuntapd "hyperkit shim: $1" 2>/dev/null || :
}

original=$0.original
if [ ! -e "$original" ] && [ -L "$0" ]; then
  # Reached through a symlink such as /usr/local/bin/hyperkit: the original lies beside the real file.
  target=$(/usr/bin/readlink "$0") || target=
  case $target in
    /*) original=$target.original ;;
    ?*) original=${0%/*}/$target.original ;;
  esac
fi
if [ ! -x "$original" ]; then
  message="$original is missing or not executable. Run \`sudo tuntapctl shim restore\`, or reinstall Docker Desktop"
  log "$message"
  echo "tuntapd: $message" >&2
  exit 127
fi

# A number as sscanf reads it, without leading zeros, of two digits at the most.
number() {
  n=$1
  case $n in '' | *[!0-9]*) return 1 ;; esac
  while :; do
    case $n in 0?*) n=${n#0} ;; *) break ;; esac
  done
  case $n in ???*) return 1 ;; esac
}

# [[bus:]slot[:func]],driver[,options] of -s (pci_emul.c): remembers the place, and the last NIC's.
device() {
  place=${1%%,*}
  [ "$place" != "$1" ] || return 1
  options=${1#*,}
  driver=${options%%,*}
  case $place in
    *:*:*:*) return 1 ;;
    *:*:*)
      number "${place%%:*}" || return 1
      [ "$n" = 0 ] || return 1
      place=${place#*:}
      ;;
  esac
  case $place in
    *:*) number "${place#*:}" || return 1 ;;
    *) n=0 ;;
  esac
  func=$n
  number "${place%%:*}" || return 1
  slot=$n
  [ "$slot" -le 31 ] && [ "$func" -le 7 ] || return 1
  places="$places$slot:$func "
  case $driver in
    virtio-vpnkit | virtio-ipc) docker=yes ;;
    virtio-net) ;;
    virtio-tap)
      case ${options#virtio-tap}, in
        ",$tap,"*) why="the NIC on $tap is already there" ;;
      esac
      ;;
    *) return 0 ;;
  esac
  if [ -z "$lastslot" ] || [ "$slot" -gt "$lastslot" ] || { [ "$slot" = "$lastslot" ] && [ "$func" -gt "$lastfunc" ]; }; then
    lastslot=$slot
    lastfunc=$func
  fi
  return 0
}

argument() {
  case $1 in
    F) case $2 in vms/* | */com.docker.*) docker=yes ;; esac ;;
    s) device "$2" || why="\`-s $2\` is not understood" ;;
  esac
}

pending=
places=' '
lastslot=
lastfunc=
docker=
why=
novm=
for word; do
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
[ -n "$why" ] || [ -n "$lastslot" ] || why='there is no NIC that the tap could come after'
[ -n "$why" ] || [ -n "$docker" ] || why='it is not a VM of Docker Desktop'

# After the last NIC in PCI order, so that the names of Docker's own NICs never move. A guest looks at functions 1-7
# of a slot only when its function 0 is there.
at=
if [ -z "$why" ]; then
  case $places in
    *" $lastslot:0 "*)
      func=$lastfunc
      while [ "$func" -lt 7 ] && [ -z "$at" ]; do
        func=$((func + 1))
        case $places in *" $lastslot:$func "*) ;; *) at=$lastslot:$func ;; esac
      done
      ;;
  esac
  slot=$lastslot
  while [ "$slot" -lt 31 ] && [ -z "$at" ]; do
    slot=$((slot + 1))
    case $places in *" $slot:"*) ;; *) at=$slot:0 ;; esac
  done
  [ -n "$at" ] || why='no PCI place is free after the last NIC'
fi

# At boot Docker may be faster than the daemon that gives it the device. Without any tap device nothing would come.
if [ -z "$why" ] && [ -e /dev/tap0 ]; then
  while [ ! -w "/dev/$tap" ] && [ "$tries" -gt 0 ]; do
    /bin/sleep 0.25 || tries=1
    tries=$((tries - 1))
  done
  [ -w "/dev/$tap" ] || why="/dev/$tap did not become writable in time"
fi

if [ -n "$why" ]; then
  log "hyperkit is started as it is: $why"
  exec "$original" "$@"
fi
exec "$original" -s "$at,virtio-tap,$tap,mac=$mac" "$@"
