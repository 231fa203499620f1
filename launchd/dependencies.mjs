/**
 * Exit status 0 when node_modules holds what package-lock.json says, 1 when `npm ci` is needed. By content: times
 * say nothing in a copied or restored tree.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const packages = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;

function complete() {
  try {
    const present = packages('node_modules/.package-lock.json');
    return Object.entries(packages('package-lock.json')).every(
      ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
    );
  } catch {
    return false;
  }
}

process.exitCode = complete() ? 0 : 1;
