import { readFileSync } from 'node:fs';

/** Jest's counterpart of the bundler's text loader for shell files. Jest itself hands them over without their first line. */
export default {
  process: (_text, path) => ({ code: `export default ${JSON.stringify(readFileSync(path, 'utf8'))};` }),
};
