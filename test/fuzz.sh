#!/bin/bash
# Runs the tests that have properties, each time with another seed: test/fuzz.sh ROUNDS. The first that fails ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
files=()
while IFS= read -r file; do files+=("$file"); done < <(grep -rl --include='*.test.ts' "from 'fast-check'" test/unit)
for ((round = 1; round <= $1; round += 1)); do
  FUZZ_SEED=$RANDOM$RANDOM
  export FUZZ_SEED
  echo "== round $round, FUZZ_SEED=$FUZZ_SEED"
  npm test -- "${files[@]}" --selectProjects unit --maxWorkers=2
done
