import type { Outside } from './launchctl.js';
import type { Origin } from './origin.js';
import { Problem } from './problem.js';

/** Node.js's own Developer ID. Without a requirement codesign takes what anybody signed, and what signed itself. */
const requirement = 'anchor apple generic and certificate leaf[subject.OU] = "HX7739G8FX"';

/** What codesign(1) ends with when a signature is whole, and somebody else's. */
const notSatisfied = 3;

/**
 * Throws Problem unless the runtime `staged`, copied from `source`, is as Node.js signed it: it runs as root, and a
 * privacy grant hangs on its signature.
 */
export async function requireSignature(
  outside: Outside,
  staged: string,
  source: string,
  origin: Origin,
): Promise<void> {
  const { exitCode, stdout, stderr } = await outside.run('/usr/bin/codesign', [
    '--verify',
    '--strict',
    `-R=${requirement}`,
    staged,
  ]);
  if (exitCode === 0) return;
  const words = `${stderr}${stdout}`.trim();
  const what = exitCode === notSatisfied ? 'is not signed by Node.js' : 'is not as Node.js signed it';
  throw new Problem(
    `The runtime ${source} ${what}; codesign --verify said: ${words}\n` +
      `${origin.runtime}. Nothing was changed.`,
  );
}
