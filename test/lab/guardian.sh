#!/bin/bash
# Outlives the lab by a moment. Every process of the lab holds the other end of our stdin: when it reads EOF, none is
# left, however they ended, and the one thing that no namespace holds, the binfmt_misc entry, is taken away.
trap '' INT TERM HUP
exec >/dev/null 2>&1
cat
[ -e "$1" ] && echo -1 >"$1"
