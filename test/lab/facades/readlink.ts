/** `readlink [-n] FILE…` as before macOS 12.3, which brought -f (file_cmds, stat.c): the product must not need it. */
import { readlinkSync } from 'node:fs';
import { finish } from './lib/say.js';

const args = process.argv.slice(2);
let newline = '\n';
while (args[0]?.startsWith('-') && args[0] !== '-') {
  const option = args.shift();
  if (option === '--') break;
  if (option !== '-n')
    finish(1, {
      err: `readlink: illegal option -- ${option?.[1] ?? ''}\nusage: readlink [-n] [file ...]\n`,
    });
  newline = '';
}
if (args.length === 0) finish(1, { err: 'usage: readlink [-n] [file ...]\n' });
let status = 0;
let out = '';
for (const file of args)
  try {
    out += `${readlinkSync(file)}${newline}`;
  } catch {
    // Silent, exit 1 (stat.c: `if (rc == -1) errs = 1; if (!linkfail …`).
    status = 1;
  }
finish(status, { out });
