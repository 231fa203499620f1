#!/bin/bash
# Prints the mirror that has a suite of Debian: this machine's own one, as its apt is configured, else deb.debian.org.
# usage: mirror.sh SUITE
set -euo pipefail
suite=$1

# apt reads its configuration itself, so one-line and deb822 sources count alike. Debian proper: neither the archive of
# security nor a repository of somebody else's.
# shellcheck disable=SC2016 # apt's own placeholders
apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
  awk '$1 == "Debian" && $2 == "main" && !seen[$3]++ { print $3 }' |
  while read -r mirror; do
    case $mirror in
      mirror+file:*)
        # As cloud images have it: the file lists mirrors, the best first.
        list=${mirror#mirror+file:}
        mirror=$(awk '!/^#/ && NF { print $1; exit }' "${list%/}")
        ;;
    esac
    # A disc, or a mirror of one release alone, does not have it.
    if curl --silent --fail --location --max-time 20 --output /dev/null "${mirror%/}/dists/$suite/Release"; then
      echo "${mirror%/}"
      # What is left is read, as a writer with nobody at the other end would fail.
      cat >/dev/null
    fi
  done | grep . || echo http://deb.debian.org/debian
