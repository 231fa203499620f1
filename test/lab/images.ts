/** Builds the VM images of these suites that are missing: `node test/lab/start.mjs test/lab/images.ts SUITE…`. */
import { parseArgs } from 'node:util';
import { ensureImage } from './vm/image.js';

const { positionals } = parseArgs({ allowPositionals: true });
for (const suite of positionals) await ensureImage(suite as 'sid', console.log);
