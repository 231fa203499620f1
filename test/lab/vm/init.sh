#!/bin/sh
# init of the lab's VM: what Docker Desktop's LinuxKit does before it starts the engine, no more.
# First NIC up on QEMU's user network, every other NIC left alone, dockerd on a unix socket and on that first NIC.
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
for module in virtio_net overlay bridge br_netfilter veth nf_tables nft_compat ip_tables ip6_tables \
  iptable_filter iptable_nat iptable_raw ip6table_filter ip6table_nat ip6table_raw \
  xt_conntrack xt_MASQUERADE xt_addrtype xt_comment xt_set nf_conntrack_netlink; do
  modprobe "$module" 2>/dev/null
done
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
# The user's images are on a Mac's disk already; here they are loaded first, and only then is the engine to be reached.
iptables -I INPUT -i eth0 -p tcp --dport 2375 -j REJECT
(
  until [ -S /run/docker.sock ] && busybox wget -q -O /dev/null http://10.0.2.15:2375/_ping; do sleep 0.2; done
  # busybox's wget posts a file only up to its first NUL.
  {
    printf 'POST /images/create?fromSrc=-&repo=busybox&tag=lab HTTP/1.0\r\nContent-Type: application/x-tar\r\nContent-Length: %s\r\n\r\n' \
      "$(busybox stat -c %s /lab/image.tar)"
    cat /lab/image.tar
  } | busybox nc 10.0.2.15 2375
  iptables -D INPUT -i eth0 -p tcp --dport 2375 -j REJECT
  echo "lab: image loaded"
) &
exec dockerd -H unix:///run/docker.sock -H tcp://10.0.2.15:2375 --tls=false
