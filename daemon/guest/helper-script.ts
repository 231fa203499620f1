/**
 * What the helper container runs, in the sh of whatever image it is. Parameters are its arguments, never pasted in.
 * It speaks in lines: `interface=eth1`, `rule=filter DOCKER-USER`, `error=…`.
 *
 * A rule is ours by its comment, on whatever interface. It stands first in its chain, once: what comes before it
 * could refuse what it accepts.
 *
 * The address is set with the image's own busybox or iproute2 (the VM's root may lack both); the rules with the
 * iptables of dockerd's mount namespace, which is the one (legacy or nft) that matches dockerd's own rules.
 */
export const helperScript = `set -u
action=$1 mac=$2 address=$3 prefix=$4 mtu=$5 raw=$6
fail() { echo "error=$*"; exit 1; }
# dockerd's iptables is looked up by the image's PATH, which may know none of the VM's folders.
PATH=\${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

nic=
for folder in /sys/class/net/*; do
  read -r found <"$folder/address" 2>/dev/null || continue
  [ "$found" = "$mac" ] && nic=\${folder##*/}
done
if [ -n "$nic" ]; then echo "interface=$nic"
elif [ "$action" = prepare ]; then echo reason=NoTapNic; fail "no interface with MAC $mac in the VM"
fi

dockerd=
self=$(readlink /proc/self/ns/net) own=$(readlink /proc/self/ns/pid)
for folder in /proc/[0-9]*; do
  read -r name <"$folder/comm" 2>/dev/null || continue
  [ "$name" = dockerd ] || continue
  [ "$(readlink "$folder/ns/net")" = "$self" ] && [ "$(readlink "$folder/ns/pid")" = "$own" ] && dockerd=\${folder##*/}
done
[ -n "$dockerd" ] || { echo reason=NoDockerd; fail "no dockerd in the VM's own namespaces"; }
tables() { nsenter -t "$dockerd" -m -- iptables -w 5 "$@"; }

ipcommand=ip
command -v ip >/dev/null 2>&1 || ipcommand="nsenter -t $dockerd -m -- ip"

rules() {
  tables -t "$1" -S "$2" 2>/dev/null | while IFS= read -r line; do
    case $line in "-A "*) echo "$line" ;; esac
  done
}
# Numbers of our rules in chain $2 of table $1, the last one first, so that deleting one moves none of the others.
ours() {
  rules "$1" "$2" | {
    number=0 found=
    while IFS= read -r line; do
      number=$((number + 1))
      case $line in *"--comment tuntapd "* | *'--comment "tuntapd" '*) found="$number $found" ;; esac
    done
    echo "$found"
  }
}
# Deletes our rules in chain $2 of table $1 but for number $3.
prune() {
  for number in $(ours "$1" "$2"); do
    [ "$number" = "$3" ] || out=$(tables -t "$1" -D "$2" "$number" 2>&1) || fail "iptables -t $1 -D $2 $number: $out"
  done
}

if [ "$action" = release ]; then
  prune raw PREROUTING 0
  prune filter DOCKER-USER 0
  prune filter FORWARD 0
  [ -n "$nic" ] || exit 0
  case $($ipcommand addr show dev "$nic") in
    *"inet $address/$prefix "*)
      out=$($ipcommand addr del "$address/$prefix" dev "$nic" 2>&1) || fail "address $address/$prefix on $nic: $out"
      ;;
  esac
  out=$($ipcommand link set "$nic" down 2>&1) || fail "the interface $nic could not be taken down: $out"
  exit 0
fi

$ipcommand link set "$nic" mtu "$mtu" up 2>&1 || fail "the interface $nic could not be brought up"
case $($ipcommand addr show dev "$nic") in
  *"inet $address/$prefix "*) ;;
  *) out=$($ipcommand addr add "$address/$prefix" dev "$nic" 2>&1) || fail "address $address/$prefix on $nic: $out" ;;
esac

accept() {
  first=$(rules "$1" "$2" | { IFS= read -r line; echo "$line"; })
  case $first in
    "-A $2 -i $nic -m comment --comment tuntapd -j ACCEPT") ;;
    "-A $2 -i $nic -m comment --comment \\"tuntapd\\" -j ACCEPT") ;;
    *)
      out=$(tables -t "$1" -I "$2" 1 -i "$nic" -m comment --comment tuntapd -j ACCEPT 2>&1) || fail "iptables -t $1 -I $2: $out"
      ;;
  esac
  prune "$1" "$2" 1
  echo "rule=$1 $2"
}
[ "$raw" = raw ] && accept raw PREROUTING
if tables -t filter -L DOCKER-USER -n >/dev/null 2>&1; then accept filter DOCKER-USER; else accept filter FORWARD; fi
exit 0
`;
