import { plain } from '../daemon/lib/text.js';
import { Problem } from './problem.js';

/** Whether `value`, given as the variable `name`, says yes. Throws Problem, a usage error, unless it is a yes or a no. */
export function chosen(name: string, value = ''): boolean {
  const word = value.toLowerCase();
  if (['1', 'yes', 'true'].includes(word)) return true;
  if (['', '0', 'no', 'false'].includes(word)) return false;
  throw new Problem(
    `${name}=${plain(value)} is neither yes nor no. Give ${name}=1, or leave it out. Nothing was done.`,
    { exitCode: 2 },
  );
}
