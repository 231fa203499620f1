/**
 * What the helper container runs, in the sh of whatever image it is. Parameters are its arguments, never pasted in.
 * It speaks in lines: `interface=eth1`, `rule=filter DOCKER-USER`, `error=…`.
 *
 * The address is set with the image's own busybox or iproute2 (the VM's root may lack both); the rules with the
 * iptables of dockerd's mount namespace, which is the one (legacy or nft) that matches dockerd's own rules.
 */
export const helperScript = `set -u
action=$1 mac=$2 address=$3 prefix=$4 mtu=$5 raw=$6
fail() { echo "error=$*"; exit 1; }

nic=
for folder in /sys/class/net/*; do
  read -r found <"$folder/address" 2>/dev/null || continue
  [ "$found" = "$mac" ] && nic=\${folder##*/}
done
[ -n "$nic" ] || { echo reason=NoTapNic; fail "no interface with MAC $mac in the VM"; }
echo "interface=$nic"

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

if [ "$action" = release ]; then
  for place in "raw PREROUTING" "filter DOCKER-USER" "filter FORWARD"; do
    # shellcheck disable=SC2086
    set -- $place
    while tables -t "$1" -C "$2" -i "$nic" -m comment --comment tuntapd -j ACCEPT 2>/dev/null; do
      tables -t "$1" -D "$2" -i "$nic" -m comment --comment tuntapd -j ACCEPT || break
    done
  done
  $ipcommand addr del "$address/$prefix" dev "$nic" 2>/dev/null
  $ipcommand link set "$nic" down
  exit 0
fi

$ipcommand link set "$nic" mtu "$mtu" up 2>&1 || fail "the interface $nic could not be brought up"
case $($ipcommand addr show dev "$nic") in
  *"inet $address/$prefix "*) ;;
  *) out=$($ipcommand addr add "$address/$prefix" dev "$nic" 2>&1) || fail "address $address/$prefix on $nic: $out" ;;
esac

accept() {
  tables -t "$1" -C "$2" -i "$nic" -m comment --comment tuntapd -j ACCEPT 2>/dev/null && { echo "rule=$1 $2"; return 0; }
  out=$(tables -t "$1" -I "$2" 1 -i "$nic" -m comment --comment tuntapd -j ACCEPT 2>&1) || fail "iptables -t $1 -I $2: $out"
  echo "rule=$1 $2"
}
[ "$raw" = raw ] && accept raw PREROUTING
if tables -t filter -L DOCKER-USER -n >/dev/null 2>&1; then accept filter DOCKER-USER; else accept filter FORWARD; fi
exit 0
`;
