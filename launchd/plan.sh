#!/bin/sh
# plan.sh VERSION [BUILDER]: says what an installation of VERSION does and every path that it touches, where BUILDER
# builds it first, in the working folder. Changes nothing, and asks macOS's own tools alone.
set -eu

# Paths, and what each is for.
entry() { printf '  %-48s %s\n' "$@"; }

if [ -e /opt/tuntapd ]; then
  echo "Replaces the tuntapd that is installed by $1; the old one comes back if the new one does not answer."
else
  echo "Installs tuntapd $1."
fi
if [ -n "${2:-}" ]; then
  printf '\nAs %s, in %s:\n' "$2" "$PWD"
  entry node_modules/ 'npm ci, unless it holds what package-lock.json says'
  entry build/product/ 'what is built, unless it is up to date'
fi
printf '\nAs root:\n'
entry /opt/tuntapd/ 'programs, and the official node twice: for root alone, and for the command'
entry '/opt/.tuntapd-new/, /opt/.tuntapd-old/' 'while it is at work'
entry /var/db/tuntapd.claims/ 'while it is at work: who that is'
entry /Library/LaunchDaemons/io.github.tuntapd.plist 'has launchd start the daemon now, and with the Mac'
entry /var/db/com.apple.xpc.launchd/disabled.plist 'the list of launchd: the daemon is not off'
entry /etc/newsyslog.d/tuntapd.conf 'has macOS rotate what launchd writes for it'
entry /usr/local/bin/tuntapctl 'a link, unless something else has that name'
entry /var/db/tuntapd/ 'what the daemon has to remember'
entry /var/log/tuntapd/ 'its log'
printf '\nThe daemon that then runs:\n'
entry '/var/run/tuntapd.sock, tuntapd-root.sock' 'where it is asked, by administrators and by root'
entry /etc/resolver/docker 'leads to the names of containers (names.zone, names.manage)'
entry Docker.app/.../com.docker.hyperkit 'with HyperKit: a script, and hyperkit itself as .original beside it'
entry /dev/tap1 'with HyperKit: its owner (tap.device)'
printf '  %s\n' 'the routing table, and rules of the firewall in the VM; with HyperKit also the addresses of the link'
printf '\nIt reads /etc/tuntapd/config.toml, if there is one. That and the log stay; all else goes with: sudo tuntapctl uninstall\n\n'
