/**
 * The one table of what is Docker's VM and what is not: command lines from public bug reports, and made up ones beside
 * them. `argv` begins with argv[0]; `dockers` speaks of the words after it.
 */
import { readFileSync } from 'node:fs';

interface Recorded {
  readonly what: string;
  readonly source: string;
  readonly dockers: boolean;
  readonly argv: readonly string[];
}

export const recorded = readFileSync('test/fixtures/hyperkit-argv.jsonl', 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);
