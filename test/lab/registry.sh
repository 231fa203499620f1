# shellcheck shell=bash
# Sourced in a mount namespace of one's own: mounts the kernel's registry of executable formats and sets $registry.
# systemd has it mounted already, or an automount that hangs whoever looks from another namespace. Both stay as they
# are below a tmpfs, on which it can be mounted again: the kernel refuses the same file system twice at one place.
place=/proc/sys/fs/binfmt_misc
registry=$place/registry
mount -t tmpfs lab-registry "$place"
mkdir "$registry"
mount -t binfmt_misc binfmt_misc "$registry"
