#!/bin/bash
# Every check of the project: test/all.sh [--gates]. What each said is summed up from build/results (see .ci/run).
# Runs with macOS's bash 3.2.
set -u
cd "$(dirname "$0")/.." || exit 1
results=build/results
rm -rf "$results"
mkdir -p "$results"
failed=0

# NAME COMMAND…: a check that passes or fails as a whole.
gate() {
  local name=$1
  shift
  echo "== $name"
  if "$@"; then
    echo "passed $name" >>"$results/gates"
  else
    echo "failed $name" >>"$results/gates"
    echo "== $name FAILED" >&2
    failed=1
  fi
}

# PROJECT [OPTION…]: one of jest's projects.
suite() {
  local project=$1
  shift
  echo "== $project tests"
  if ! node --experimental-vm-modules --no-warnings=ExperimentalWarning node_modules/jest/bin/jest.js \
    --selectProjects "$project" --json --outputFile "$results/$project.json" "$@" >/dev/null; then
    failed=1
    # A runner that died leaves no counts behind.
    [ -s "$results/$project.json" ] || echo "failed $project tests" >>"$results/gates"
  fi
}

not_run() {
  echo "== NOT RUN: $1"
  skipped="${skipped:-}${skipped:+; }$1"
  if [ "${CI:-}" = true ]; then
    echo "failed $1" >>"$results/gates"
    failed=1
  fi
}

# shellcheck disable=SC2317 # called by way of gate
shell_files() {
  { git ls-files --cached --others --exclude-standard 2>/dev/null ||
    find . \( -name node_modules -o -name build -o -name .git \) -prune -o -type f -print; } |
    while IFS= read -r file; do
      case $(head -n 1 "$file" 2>/dev/null | tr -d '\0') in
        '#!/bin/sh'* | '#!/bin/bash'*) printf '%s\n' "$file" ;;
      esac
    done
}

# shellcheck disable=SC2317
check_shell() {
  local files=()
  while IFS= read -r file; do files+=("$file"); done < <(shell_files)
  shellcheck -x "${files[@]}"
}

# What lies in the repository is what the source gives, byte for byte.
# shellcheck disable=SC2317 # called by way of gate
check_agent() {
  daemon/guest/agent/build.sh build/agent >/dev/null || return 1
  local file
  for file in amd64.agent arm64.agent SHA256SUMS; do
    cmp "build/agent/$file" "daemon/guest/agent/$file" || return 1
  done
}

skipped=
has_lab() { [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]; }

# The end-to-end tests need them; what comes before leaves a core half idle.
images=
if [ "${1:-}" != --gates ] && has_lab; then
  node test/lab/start.mjs test/lab/images.ts sid bookworm trixie &
  images=$!
fi

gate typecheck node_modules/.bin/tsc -p .
gate lint node_modules/.bin/eslint .
gate unused node_modules/.bin/knip --no-progress
gate format node_modules/.bin/prettier --check --log-level warn .
if command -v shellcheck >/dev/null; then
  gate shellcheck check_shell
else
  not_run 'shellcheck (it is not installed)'
fi

if [ "${1:-}" != --gates ]; then
  gate build node launchd/build.mjs
  suite unit --maxWorkers=2
  if has_lab; then
    gate agent check_agent
    suite lab --maxWorkers=2
    wait "$images" || failed=1
    # Ten minutes in which nothing happens cost the others nothing.
    (
      failed=0
      suite quiet
      exit "$failed"
    ) &
    quiet=$!
    # Two Macs at a time: most of a scenario is waiting.
    suite e2e --maxWorkers=2
    wait "$quiet" || failed=1
  else
    not_run 'the tests of the lab and the end-to-end tests (they need Linux and root)'
  fi
fi

[ -z "$skipped" ] || echo "Not run here: $skipped"
exit "$failed"
