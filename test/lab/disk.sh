#!/bin/bash
# Lays out the disk of a lab Mac over the host's own, in the namespaces that enter.sh made, and becomes its pid 1.
set -euo pipefail
checkout=$1 libraries=$2 cache=$3 options=$4

# /proc is still the host's: this is our pid as the outside sees it.
read -r pid _ </proc/self/stat
echo "pid $pid" >&3

for disk in /mnt /media /srv; do
  case $checkout/ in "$disk"/*) ;; *) break ;; esac
done
node=$(command -v node)
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
tools=(cp ip perl tini setpriv qemu-system-x86_64 qemu-img dnsmasq nsenter unshare mount umount ps chattr)
declare -A tool
for name in "${tools[@]}"; do tool[$name]=$(command -v "$name" || true); done

mount -t tmpfs -o mode=0755 lab-disk "$disk"
mkdir "$disk"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" lab "$disk/root"
cd "$disk/root"
root=$PWD

fresh() { # PATH MODE: an empty directory there, whatever Debian has
  rm -rf ".$1"
  install --directory --mode "$2" ".$1"
}

# --- the lab's own tools, out of the product's sight -------------------------------------------------------------
fresh /.lab 0755
mkdir .lab/{bin,lib,run,cache,share}
[ ! -d usr/share/qemu ] || ln -s /usr/share/qemu .lab/share/qemu
expose() { # SOURCE NAME: a bind mount costs nothing, and /proc/PID/exe shows the lab's path
  [ -n "$1" ] || return 0
  : >".lab/bin/$2"
  mount --bind "$1" ".lab/bin/$2"
}
expose "$node" node
for name in "${tools[@]}"; do expose "${tool[$name]}" "$name"; done
cp -R "$libraries"/. .lab/lib
chmod -R go+rX .lab/lib
cat >.lab/bin/macho <<'MACHO'
#!/bin/sh
case $1 in
  */bin/docker) program=docker-cli ;;
  */com.docker.virtualization) program=virtualization ;;
  */com.docker.sailor) program=docker-vmm ;;
  */bin/colima) program=colima ;;
  */bin/limactl) program=limactl ;;
  *) program=hyperkit ;;
esac
exec /.lab/bin/node "/.lab/lib/$program.js" "$@"
MACHO
chmod 0755 .lab/bin/macho
if [ -n "$cache" ]; then
  mount --bind "$cache" .lab/cache
  mount -o remount,bind,ro .lab/cache
fi

# --- Debian's commands that no Mac has, or has otherwise ----------------------------------------------------------
absent=(ip bridge tc ss ifconfig route netstat arp nstat rtmon ifup ifdown ifquery iwconfig ethtool brctl tunctl
  iptables iptables-save iptables-restore iptables-legacy iptables-nft ip6tables ip6tables-save ip6tables-restore
  ip6tables-legacy ip6tables-nft xtables-multi xtables-legacy-multi xtables-nft-multi ebtables arptables nft
  docker dockerd docker-proxy docker-init containerd containerd-shim-runc-v2 ctr runc podman buildah
  systemctl journalctl loginctl hostnamectl timedatectl networkctl resolvectl service update-rc.d invoke-rc.d
  start-stop-daemon init telinit runlevel systemd-run systemd-cat busctl
  ps free pidof pmap pwdx slabtop tload vmstat watch sudo sudoedit su runuser setpriv nsenter unshare setsid
  modprobe insmod rmmod lsmod depmod modinfo kmod udevadm sysctl losetup mount umount chattr lsattr
  uname logger readlink realpath getent apt apt-get apt-cache aptitude dpkg useradd usermod groupadd adduser
  addgroup deluser tini qemu-system-x86_64 qemu-img dnsmasq lsblk lscpu node nodejs npm npx corepack)
rm -f "${absent[@]/#/usr/bin/}" "${absent[@]/#/usr/sbin/}"
rm -rf usr/local/bin usr/local/sbin
mkdir -m 0755 usr/local/bin usr/local/sbin

# --- /bin and /sbin are directories of their own on a Mac: a command asked for at the wrong one is not there ----------
if [ -L bin ]; then
  rm bin sbin
  mkdir -m 0755 bin sbin
  there=()
  for name in '[' bash cat chmod cp dash date dd df echo ed expr hostname kill link ln ls mkdir mv pwd rm rmdir sh \
    sleep stty sync test unlink; do
    if [ -e "usr/bin/$name" ] || [ -L "usr/bin/$name" ]; then there+=("usr/bin/$name"); fi
  done
  mv "${there[@]}" bin
  for name in chown chroot; do
    if [ -e "usr/bin/$name" ]; then mv "usr/bin/$name" "usr/sbin/$name"; fi
  done
fi

# --- the facades ----------------------------------------------------------------------------------------------------
while read -r name path; do
  install --mode 0755 ".lab/lib/facades/$name" ".$path"
done <.lab/lib/facades/paths

# A Mac has the locale that its Terminal sets; Perl complains about one that is not there.
[ -e usr/lib/locale/en_US.utf8 ] || ln -s C.utf8 usr/lib/locale/en_US.utf8

# Node as a user has it: from an installer, in /usr/local.
ln -s /.lab/bin/node usr/local/bin/node
ln -s "$npm/bin/npm-cli.js" usr/local/bin/npm
ln -s "$npm/bin/npx-cli.js" usr/local/bin/npx

# --- people -----------------------------------------------------------------------------------------------------------
cat >etc/passwd <<'PASSWD'
nobody:*:4294967294:4294967294:Unprivileged User:/var/empty:/usr/bin/false
root:*:0:0:System Administrator:/var/root:/bin/sh
daemon:*:1:1:System Services:/var/root:/usr/bin/false
_mdnsresponder:*:65:65:mDNSResponder:/var/empty:/usr/bin/false
_windowserver:*:88:88:WindowServer:/var/empty:/usr/bin/false
person:*:501:20:A Person:/Users/person:/bin/bash
other:*:502:20:Another Person:/Users/other:/bin/bash
PASSWD
cat >etc/group <<'GROUP'
nobody:*:4294967294:
wheel:*:0:root
daemon:*:1:root
kmem:*:2:root
sys:*:3:root
tty:*:4:root
operator:*:5:root
everyone:*:12:
staff:*:20:root
_mdnsresponder:*:65:
_windowserver:*:88:
admin:*:80:root,person
GROUP
rm -f etc/shadow etc/gshadow etc/sudoers etc/ld.so.preload etc/profile etc/environment
rm -rf etc/profile.d etc/tuntapd
# Names are mDNSResponder's.
cp .lab/lib/libnss_mac.so.2 usr/lib/
echo 'passwd: files
group: files
hosts: files mac' >etc/nsswitch.conf
echo '127.0.0.1 localhost
255.255.255.255 broadcasthost
::1 localhost
127.0.0.1 lab-mac.local' >etc/hosts
rm -f etc/resolv.conf
: >etc/resolv.conf
mkdir -p etc/newsyslog.d

# --- the tree of a Mac ------------------------------------------------------------------------------------------------
fresh /Applications 0775
chown 0:80 Applications
fresh /Library 0755
mkdir -m 0755 Library/{LaunchDaemons,LaunchAgents,Extensions,Logs,PrivilegedHelperTools}
mkdir -p 'Library/Application Support'
fresh /System 0755
mkdir -p System/Library/{Extensions,LaunchDaemons}
fresh /Users 0755
chown 0:80 Users
for user in person:501 other:502; do
  home=Users/${user%:*}
  mkdir -m 0755 "$home"
  mkdir -m 0700 "$home"/{Library,Desktop,Documents}
  mkdir -p "$home/Library/Containers" "$home/Library/Application Support" "$home/Library/Group Containers"
  chown -R "${user#*:}:20" "$home"
done
mkdir -m 1777 Users/Shared
fresh /Volumes 0755
fresh /opt 0755
fresh /var/log 0755
fresh /var/db 0755
mkdir -p var/db/com.apple.xpc.launchd var/log/com.apple.xpc.launchd
fresh /var/root 0750
fresh /var/empty 0755
rm -rf private
mkdir -m 0755 private
for name in etc var tmp; do ln -s "/$name" "private/$name"; done

# --- file systems of this boot ------------------------------------------------------------------------------------------
# /proc still has to show this very shell's mounts; the lab's own comes last.
rm -rf run var/run
mkdir -m 0755 run
ln -s /run var/run
mount -t tmpfs -o mode=0755 lab-run run
mount -t tmpfs -o mode=1777 lab-tmp tmp
mkdir -p var/tmp && chmod 1777 var/tmp
mount -t tmpfs -o mode=0755 lab-dev dev
umask 0
mknod -m 0666 dev/null c 1 3
mknod -m 0666 dev/zero c 1 5
mknod -m 0666 dev/full c 1 7
mknod -m 0666 dev/random c 1 8
mknod -m 0666 dev/urandom c 1 9
mknod -m 0666 dev/tty c 5 0
# A plain node: on a Mac its owner is who sits at the screen, and that is all anybody looks at.
mknod -m 0600 dev/console c 1 3
mkdir -m 0755 dev/net dev/pts dev/shm
# World-writable as in every distribution. Who may have a tap is decided by /dev/tapN's owner and mode.
mknod -m 0666 dev/net/tun c 10 200
umask 022
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 lab-pts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 lab-shm dev/shm
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%%:*}" "dev/${n#*:}"; done
mount -t sysfs sysfs sys

# The checkout, at its own path, when the overlay of / does not show it (another disk, /tmp, …).
if [ ! "$checkout/package.json" -ef "$root$checkout/package.json" ] && [ ! -e "$root$checkout/package.json" ]; then
  mkdir -p "$disk"/checkout/{upper,work} "$root$checkout"
  mount -t overlay -o "lowerdir=$checkout,upperdir=$disk/checkout/upper,workdir=$disk/checkout/work" \
    lab-checkout "$root$checkout"
fi

# What npm brings on Apple silicon. The programs are the host's, by those names.
if [[ $options == *'"processor":"arm64"'* ]]; then
  for which in '' old-; do
    twin=$root$checkout/node_modules/node-linux-${which/old/11}arm64
    mkdir "$twin"
    mount --bind "$checkout/node_modules/node-linux-${which}x64" "$twin"
  done
fi

hostname lab-mac.local
mount -t proc proc proc
mkdir -p old
pivot_root . old
cd /
/.lab/bin/umount -l /old
rmdir /old
# Nothing of the host's shell reaches the Mac: DOCKER_HOST, TMPDIR or a proxy is none of its own.
# Whoever the machine starts must not hold the report open; it closes it itself.
exec /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/var/root /.lab/bin/tini -g -- /.lab/bin/node --enable-source-maps /.lab/lib/machine.js "$options"
