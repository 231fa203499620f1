/** `codesign --verify [-v…] [--strict] [--deep] PATH…`: whether the signature is there and, as far as that goes, whole. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { finish } from './lib/say.js';

const usage =
  'Usage: codesign -s identity [-fv*] [-o flags] [-r reqs] [-i ident] path ... # sign\n       codesign -v [-v*] [-R=<req string>|-R <req file path>] path|[+]pid ... # verify\n';
const args = process.argv.slice(2);
let verify = false;
let chatter = 0;
const paths: string[] = [];
for (const arg of args) {
  // The first -v is "verify" when no other operation was named, further ones are "verbose".
  if (arg === '--verify') verify = true;
  else if (/^-v+$/.test(arg)) {
    chatter += arg.length - 1;
    if (!verify) {
      verify = true;
      chatter -= 1;
    }
  } else if (/^--verbose(=\d)?$/.test(arg)) chatter += 1;
  else if (!['--strict', '--deep', '--no-strict'].includes(arg)) {
    if (arg.startsWith('-')) finish(2, { err: `codesign: unrecognized option \`${arg}'\n${usage}` });
    paths.push(arg);
  }
}
if (!verify || paths.length === 0) finish(2, { err: usage });

/** Official builds of the runtime, by SHA-256: on this machine they stand for what Node's own signature is on a Mac. */
const official = new Set(JSON.parse(readFileSync('/.lab/lib/official.json', 'utf8')) as string[]);
const lcCodeSignature = 0x1d;

function judge(path: string): string | null {
  const unsigned = `${path}: code object is not signed at all\nIn architecture: x86_64\n`;
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return `${path}: No such file or directory\n`;
  const file = readFileSync(path);
  if (official.has(createHash('sha256').update(file).digest('hex'))) return null;
  if (file.length < 32 || file.readUInt32LE(0) !== 0xfeedfacf) return unsigned;
  let at = 32;
  for (let commands = file.readUInt32LE(16); commands > 0; commands -= 1) {
    if (at + 16 > file.length)
      return `${path}: invalid signature (code or signature have been modified)\nIn architecture: x86_64\n`;
    if (file.readUInt32LE(at) === lcCodeSignature) {
      const offset = file.readUInt32LE(at + 8);
      const whole = offset + file.readUInt32LE(at + 12) <= file.length && offset + 4 <= file.length;
      return whole && file.readUInt32BE(offset) === 0xfade0cc0
        ? null
        : `${path}: invalid signature (code or signature have been modified)\nIn architecture: x86_64\n`;
    }
    at += Math.max(8, file.readUInt32LE(at + 4));
  }
  return unsigned;
}

let err = '';
let status = 0;
for (const path of paths) {
  const bad = judge(path);
  if (bad !== null) status = 1;
  err +=
    bad ?? (chatter > 0 ? `${path}: valid on disk\n${path}: satisfies its Designated Requirement\n` : '');
}
finish(status, { err });
