/**
 * Exit status 0 when node_modules holds what package-lock.json says, 1 when `npm ci` is needed. By content: times
 * say nothing in a copied or restored tree.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
/** Optional for npm, as every platform has others; nothing is installed without this platform's. */
const runtimes = ['', '-old', '-11'].map(
  (which) => `node_modules/node-${process.platform}${which}-${process.arch}`,
);
const packages = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;

function complete() {
  try {
    const present = packages('node_modules/.package-lock.json');
    return Object.entries(packages('package-lock.json')).every(
      ([path, { version, optional }]) =>
        path === '' ||
        present[path]?.version === version ||
        // Those of other platforms are missing; what is there is never an old one.
        (optional && !runtimes.includes(path) && !present[path]),
    );
  } catch {
    return false;
  }
}

process.exitCode = complete() ? 0 : 1;
