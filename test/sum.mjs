/**
 * Sums up build/results: `node test/sum.mjs STATUS` prints `N passed, N failed` and exits non-zero when anything
 * failed, be it only the exit status of the whole.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const results = join(import.meta.dirname, '../build/results');
const status = Number(process.argv[2] ?? 0);
let passed = 0;
let failed = 0;

for (const name of existsSync(results) ? readdirSync(results) : []) {
  const text = readFileSync(join(results, name), 'utf8');
  if (name.endsWith('.json')) {
    const counts = JSON.parse(text);
    passed += counts.numPassedTests;
    const bad = counts.numFailedTests + counts.numRuntimeErrorTestSuites;
    failed += counts.success ? bad : Math.max(bad, 1);
  } else {
    const lines = text.split('\n');
    passed += lines.filter((line) => line.startsWith('passed ')).length;
    failed += lines.filter((line) => line.startsWith('failed ')).length;
  }
}
// Nothing ran, or it broke off between two checks.
if (passed === 0 || (status !== 0 && failed === 0)) failed += 1;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
