/**
 * What the helper container runs, in the sh of whatever image it is. Parameters are its arguments, never pasted in.
 * It speaks in lines: `interface=eth1`, `rule=filter DOCKER-USER`, `error=…`.
 *
 * A rule is ours by its comment, on whatever interface. Ours stand first in their chain, once: what comes before them
 * could refuse what they accept.
 *
 * What comes in by the tap may leave by everything but the VM's ways out: from there vpnkit would hand it to the Mac,
 * whose route leads here again. The ways out are named rather than the bridges: they stay the same when a network is
 * made, whatever its bridge is called, and Kubernetes' bridges are open as well.
 *
 * The address is set with the image's own busybox or iproute2 (the VM's root may lack both), or else the VM's; the rules
 * with the iptables of dockerd's mount namespace, which is the one (legacy or nft) that matches dockerd's own rules.
 */
export const helperScript = `set -u
action=$1 mac=$2 address=$3 prefix=$4 mtu=\${5:-} raw=\${6:-} far=\${7:-}
fail() { echo "error=$*"; exit 1; }
# dockerd's iptables is looked up by the image's PATH, which may know none of the VM's folders.
PATH=\${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# 127 as of a shell that finds no command: then the image is the wrong one.
command -v nsenter >/dev/null 2>&1 || exit 127

nic=
for folder in /sys/class/net/*; do
  read -r found <"$folder/address" 2>/dev/null || continue
  [ "$found" = "$mac" ] && nic=\${folder##*/}
done
if [ -n "$nic" ]; then echo "interface=$nic"
elif [ "$action" = prepare ]; then echo reason=NoTapNic; fail "no interface with MAC $mac in the VM"
fi

# The first one that was started: a later one is in somebody's container, which may share the VM's namespaces.
dockerd='' oldest=''
self=$(readlink /proc/self/ns/net) own=$(readlink /proc/self/ns/pid)
for folder in /proc/[0-9]*; do
  read -r name <"$folder/comm" 2>/dev/null || continue
  [ "$name" = dockerd ] || continue
  [ "$(readlink "$folder/ns/net")" = "$self" ] && [ "$(readlink "$folder/ns/pid")" = "$own" ] || continue
  read -r stat <"$folder/stat" 2>/dev/null || continue
  # shellcheck disable=SC2086 # the fields after the name; the 20th of them is the start (proc(5))
  set -- \${stat##*) }
  [ -z "$oldest" ] || [ "\${20}" -lt "$oldest" ] || continue
  oldest=\${20} dockerd=\${folder##*/}
done
[ -n "$dockerd" ] || { echo reason=NoDockerd; fail "no dockerd in the VM's own namespaces"; }

# Another processor's image runs by emulation, which cannot change a mount namespace; a busybox that starts itself anew
# is called by the shell's name there.
case $(nsenter -t "$dockerd" -m -- true 2>&1) in
  *reassociate*"Invalid argument"* | *"illegal option"*) exit 127 ;;
esac

# The iptables that dockerd finds by its own PATH: docker's image has both kinds, and chooses by that.
its=$(tr '\\0' '\\n' <"/proc/$dockerd/environ" 2>/dev/null | sed -n 's/^PATH=//p')
tables() { PATH=\${its:+$its:}$PATH nsenter -t "$dockerd" -m -- iptables -w 5 "$@"; }

# The image's own command or, where it has none, the VM's.
either() {
  command -v "$1" >/dev/null 2>&1 || set -- nsenter -t "$dockerd" -m -- "$@"
  "$@"
}

# Reads chain $2 of table $1. "found": the numbers of our rules, the last one first, so that deleting one moves none of
# the others. "ours": these rules, a line each. Fails when there is no such chain.
look() {
  found='' ours='' number=0
  listing=$(tables -t "$1" -S "$2" 2>/dev/null) || return 1
  # A here-document would need a file in some shells, and the container has nowhere to write.
  set -f
  IFS='
'
  for line in $listing; do
    case $line in "-A "*) number=$((number + 1)) ;; *) continue ;; esac
    case $line in *"--comment tuntapd "* | *'--comment "tuntapd" '*) found="$number $found" ;; *) continue ;; esac
    # Some versions put a comment in quotation marks.
    case $line in *'"tuntapd"'*) line=\${line%%'"tuntapd"'*}tuntapd\${line#*'"tuntapd"'} ;; esac
    ours="$ours
$line"
  done
  unset IFS
  set +f
}
# Deletes the rules of these numbers from chain $2 of table $1.
delete() {
  table=$1 chain=$2
  shift 2
  for number; do
    out=$(tables -t "$table" -D "$chain" "$number" 2>&1) || fail "iptables -t $table -D $chain $number: $out"
  done
}

if [ "$action" = release ]; then
  for place in "raw PREROUTING" "filter DOCKER-USER" "filter FORWARD"; do
    # shellcheck disable=SC2086 # a table and a chain; numbers
    look $place && delete $place $found
  done
  [ -n "$nic" ] || exit 0
  case $(either ip addr show dev "$nic") in
    *"inet $address/$prefix "*)
      out=$(either ip addr del "$address/$prefix" dev "$nic" 2>&1) || fail "address $address/$prefix on $nic: $out"
      ;;
  esac
  out=$(either ip link set "$nic" down 2>&1) || fail "the interface $nic could not be taken down: $out"
  exit 0
fi

# Whoever else has a part of the link's network in the VM, around it or within it. Default routes are nobody's claim.
for selector in "match $address" "root $address/$prefix"; do
  # shellcheck disable=SC2086 # a word and a network
  listing=$(either ip route show $selector 2>/dev/null)
  set -f
  IFS='
'
  for line in $listing; do
    case "$line " in "default "* | *" dev $nic "*) continue ;; esac
    line=\${line%% proto *}
    echo reason=LinkCollision
    fail "the VM itself has \${line%% scope *}, which overlaps the link's network: set tap.address and tap.peer to a pair that nobody uses"
  done
  unset IFS
  set +f
done

either ip link set "$nic" mtu "$mtu" up 2>&1 || fail "the interface $nic could not be brought up"
case $(either ip addr show dev "$nic") in
  *"inet $address/$prefix "*) ;;
  *) out=$(either ip addr add "$address/$prefix" dev "$nic" 2>&1) || fail "address $address/$prefix on $nic: $out" ;;
esac

# By what the VM's own traffic leaves it: network cards (a bridge, made by the kernel alone, has no device behind it), and
# whatever has a default route.
ways=
way() {
  case " $ways $nic " in *" $1 "*) ;; *) ways="$ways $1" ;; esac
}
for folder in /sys/class/net/*; do
  [ -e "$folder/device" ] && way "\${folder##*/}"
done
# Not every busybox knows of other tables than the main one; newer Docker Desktops keep the default route elsewhere.
listing=$(either ip route show table all 2>/dev/null) || listing=$(either ip route show 2>/dev/null)
set -f
IFS='
'
for line in $listing; do
  case $line in "default "*" dev "*) ;; *) continue ;; esac
  line=\${line#* dev }
  way "\${line%% *}"
done
unset IFS
set +f

mark="-m comment --comment tuntapd"
accept="-i $nic $mark -j ACCEPT"
close=
for way in $ways; do close="$close
-i $nic -o $way $mark -j DROP"; done

# Has chain $2 of table $1, which "look" has just looked at, begin with the rules on the lines of $3, and hold no others of
# ours. What is so already is not touched; else the new ones are there before the old ones go.
begin() {
  table=$1 chain=$2 wanted='' numbers='' moved='' count=0 at=0
  set -f
  IFS='
'
  for rule in $3; do
    count=$((count + 1)) numbers="$count $numbers"
    wanted="$wanted
-A $chain $rule"
  done
  if [ "$ours" != "$wanted" ] || [ "$found" != "$numbers" ]; then
    for rule in $3; do
      unset IFS
      at=$((at + 1))
      # shellcheck disable=SC2086 # words
      out=$(tables -t "$table" -I "$chain" "$at" $rule 2>&1) || fail "iptables -t $table -I $chain $rule: $out"
    done
    for number in $found; do moved="$moved $((number + count))"; done
    # shellcheck disable=SC2086 # numbers
    delete "$table" "$chain" $moved
  fi
  unset IFS
  set +f
  echo "rule=$table $chain"
}
if [ "$raw" = raw ]; then
  look raw PREROUTING || fail "the raw table cannot be listed: $(tables -t raw -S PREROUTING 2>&1)"
  begin raw PREROUTING "$accept"
fi
if look filter DOCKER-USER; then begin filter DOCKER-USER "$close
$accept"
elif look filter FORWARD; then begin filter FORWARD "$close
$accept"
else fail "the filter table cannot be listed: $(tables -S FORWARD 2>&1)"
fi

# A Mac that asked for us before we were here waits a second before it asks again, and after some times in vain tells
# whoever tries that the host is down. Our asking for it answers that, and lets through what waits.
either arping -q -f -c 1 -w 1 -I "$nic" "$far" >/dev/null 2>&1
exit 0
`;
