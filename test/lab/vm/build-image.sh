#!/bin/bash
# Builds the lab's VM image of one Debian suite: kernel, initrd, disk and the engine's version in FOLDER.
# usage: build-image.sh SUITE FOLDER   (as root; needs debootstrap, curl, e2fsprogs, busybox-static, kmod, xz-utils)
set -euo pipefail
suite=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)
# A shell that `su` gave has none of root's folders.
export PATH=$PATH:/usr/sbin:/sbin
# Other users of the lab Mac read the image, whatever the caller's umask is.
umask 022
# Where apt needs a proxy, debootstrap needs it, too.
eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
[ -z "${http_proxy:-}" ] || export http_proxy
mirror=$("$here/mirror.sh" "$suite")

mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/.building.XXXXXX")
root=$work/root
forget() {
  # debootstrap mounts /proc and /sys inside; nothing of that may stay, whatever happened.
  for mount in proc sys dev; do
    if mountpoint -q "$root/$mount"; then umount -l "$root/$mount"; fi
  done
  rm -rf --one-file-system "$work"
}
trap forget EXIT
trap 'exit 130' INT TERM

script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
echo "debootstrap of $suite with Docker Engine from $mirror"
# No daemon may be started while packages are configured.
debootstrap --variant=minbase \
  --include=docker.io,iptables,iproute2,busybox-static,kmod,procps \
  "$suite" "$root" "$mirror" "$script" >"$work/debootstrap.log" 2>&1 || {
  tail -n 20 "$work/debootstrap.log" >&2
  [ -e "$root/debootstrap/debootstrap.log" ] && tail -n 40 "$root/debootstrap/debootstrap.log" >&2
  exit 1
}
for mount in proc sys dev; do
  if mountpoint -q "$root/$mount"; then umount -l "$root/$mount"; fi
done

echo "kernel"
(
  cd "$work"
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  apt-get download "$package" >/dev/null
  dpkg -x ./"$package"_*.deb kernel
)
version=$(basename "$(echo "$work"/kernel/lib/modules/*)")
mkdir -p "$root/lib/modules"
# An emulated CPU takes longer to unpack a module than to read it.
find "$work/kernel/lib/modules" -name '*.ko.xz' -exec xz -d {} +
cp -a "$work/kernel/lib/modules/$version" "$root/lib/modules/"
depmod -b "$root" "$version"
mkdir "$work/out"
cp "$work/kernel/boot/vmlinuz-$version" "$work/out/kernel"

echo "initrd"
mkdir -p "$work/initrd/bin" "$work/initrd/modules"
cp /bin/busybox "$work/initrd/bin/busybox"
cp "$here/initramfs-init.sh" "$work/initrd/init"
chmod 755 "$work/initrd/init"
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
  crc16 crc32c_generic mbcache jbd2 ext4; do
  found=$(find "$work/kernel/lib/modules/$version" -name "$module.ko" | head -n 1)
  [ -z "$found" ] || cp "$found" "$work/initrd/modules/$module.ko"
done
(cd "$work/initrd" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$work/out/initrd")

echo "container image and disk"
image=$root/lab/image
mkdir -p "$image/bin" "$image/tmp" "$image/www"
cp "$root/bin/busybox" "$image/bin/busybox"
for applet in $("$image/bin/busybox" --list); do
  [ "$applet" = busybox ] || ln -s busybox "$image/bin/$applet"
done
cp "$here/init.sh" "$root/lab/init"
chmod 755 "$root/lab/init"
rm -rf "$root/var/cache/apt/archives" "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale"
chroot "$root" dockerd --version | sed 's/.*version \([0-9.]*\).*/\1/' >"$work/out/engine-version"
size=$(($(du -sm "$root" | cut -f 1) + 1500))
mke2fs -q -t ext4 -J size=8 -d "$root" "$work/out/disk" "${size}M"

echo "first start: the engine imports the container image"
timeout --kill-after=5 300 qemu-system-x86_64 -machine pc -accel tcg,thread=multi -smp 2 -m 1300 \
  -cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand \
  -nodefaults -display none -no-reboot -serial stdio -kernel "$work/out/kernel" -initrd "$work/out/initrd" \
  -append 'console=ttyS0 quiet panic=1 mitigations=off net.ifnames=0 no_timer_check norandmaps lab.prepare' \
  -drive "file=$work/out/disk,format=raw,if=virtio,cache=unsafe" \
  -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= </dev/null >"$work/first-start.log" 2>&1 || true
grep -q 'lab: image imported' "$work/first-start.log" || {
  tail -n 40 "$work/first-start.log" >&2
  exit 1
}
rm -rf "$folder"
mv "$work/out" "$folder"
