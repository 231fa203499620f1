#!/bin/sh
# init of the lab's VM: what Docker Desktop's LinuxKit does before it starts the engine, no more.
# First NIC up on QEMU's user network, dockerd on a unix socket and on that NIC, started again when it ends. The second
# NIC is left alone unless the kernel's command line says `eth1.dhcp`, as Docker's does where the Virtualization
# framework makes it; `lab.nic=NAME` renames it, as Lima does. Says `lab: engine answers` on the console when it may be
# asked, and goes off when the console says `power off`. What tests do in the VM comes by the second serial line: a line
# is `ID SCRIPT`, the script in Base64, and its answer `ID STATUS OUTPUT`.
# With `lab.prepare` on the kernel's command line: imports the container image, and powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
hostname docker-desktop
modprobe -a virtio_net overlay bridge br_netfilter veth nf_tables nft_compat ip_tables ip6_tables \
  iptable_filter iptable_nat iptable_raw ip6table_filter ip6table_nat ip6table_raw \
  xt_conntrack xt_MASQUERADE xt_addrtype xt_comment xt_set nf_conntrack_netlink 2>/dev/null
if [ -c /dev/ttyS1 ]; then
  (
    stty -F /dev/ttyS1 raw -echo
    while read -r id script; do
      sh -c "$(echo "$script" | base64 -d)" </dev/null >/run/said 2>&1
      echo "$id $? $(base64 -w 0 /run/said)"
    done </dev/ttyS1 >/dev/ttyS1
  ) &
fi
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2

if grep -qw eth1.dhcp /proc/cmdline && [ -e /sys/class/net/eth1 ]; then
  nic=$(sed -n 's/.* lab\.nic=\([a-z0-9]*\).*/\1/p' /proc/cmdline)
  [ -z "$nic" ] || ip link set eth1 name "$nic"
  nic=${nic:-eth1}
  # The address is all that is taken: the way out stays eth0's.
  cat >/run/dhcp <<'DHCP'
#!/bin/sh
case $1 in
  deconfig) ip -4 address flush dev "$interface" ;;
  bound | renew)
    ip -4 address show dev "$interface" | grep -qF "inet $ip/$mask " || {
      ip -4 address flush dev "$interface"
      ip address add "$ip/$mask" dev "$interface"
      echo "lab: $interface has $ip"
    }
    ;;
esac
DHCP
  chmod 755 /run/dhcp
  # Router advertisements count although dockerd turns forwarding on.
  echo 2 >"/proc/sys/net/ipv6/conf/$nic/accept_ra"
  ip link set "$nic" up
  lease() {
    busybox udhcpc -f -i "$nic" -s /run/dhcp -t 3 -T 2 -A 5 &
    dhcp=$!
  }
  lease
fi

(
  while :; do
    rm -f /run/docker.pid /run/docker.sock
    dockerd -H unix:///run/docker.sock -H tcp://10.0.2.15:2375 --tls=false
    echo "lab: dockerd ended with $?"
    [ ! -e /run/prepared ] || break
    sleep 1
  done
) &
until busybox wget -q -O /dev/null http://10.0.2.15:2375/_ping 2>/dev/null; do sleep 0.2; done

if grep -q lab.prepare /proc/cmdline; then
  tar -C /lab/image -c . >/tmp/image.tar
  # busybox's wget posts a file only up to its first NUL.
  {
    printf 'POST /images/create?fromSrc=-&repo=busybox&tag=lab HTTP/1.0\r\nContent-Type: application/x-tar\r\nContent-Length: %s\r\n\r\n' \
      "$(stat -c %s /tmp/image.tar)"
    cat /tmp/image.tar
  } | timeout 60 busybox nc 10.0.2.15 2375
  imported=
  busybox wget -q -O - http://10.0.2.15:2375/images/json | grep -q busybox:lab && imported=yes
  : >/run/prepared
  kill "$(cat /run/docker.pid)"
  while [ -e /run/docker.pid ]; do sleep 0.2; done
  sync
  mount -o remount,ro /
  # Said last: whoever builds the image keeps the disk then.
  [ -z "$imported" ] || echo "lab: image imported"
  echo o >/proc/sysrq-trigger
fi

echo "lab: engine answers"
while read -r said; do
  case $said in
    "power off") break ;;
    # Its link went down and came up: the server may be another one. The client is started anew, since its signals to
    # release and to renew arrive in the wrong order when it does not run in between.
    "link eth1") [ -z "${dhcp:-}" ] || { kill "$dhcp" && wait "$dhcp"; lease; } ;;
  esac
done </dev/ttyS0
sync
echo o >/proc/sysrq-trigger
sleep 60
