import { readFileSync } from 'node:fs';

/** Jest's counterpart of the bundler's binary loader for the agent's programs. */
export default {
  process: (_text, path) => ({
    code: `export default Uint8Array.from(Buffer.from('${readFileSync(path).toString('base64')}', 'base64'));`,
  }),
};
