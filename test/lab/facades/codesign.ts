/**
 * `codesign --verify [-v…] [--strict] [--deep] [-R=REQUIREMENT] PATH…`: whether the signature is there, as far as that
 * goes whole, and whose it is.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { finish } from './lib/say.js';

const usage =
  'Usage: codesign -s identity [-fv*] [-o flags] [-r reqs] [-i ident] path ... # sign\n       codesign -v [-v*] [-R=<req string>|-R <req file path>] path|[+]pid ... # verify\n';
const args = process.argv.slice(2);
let verify = false;
let chatter = 0;
const paths: string[] = [];
let requirement: string | null = null;
for (let index = 0; index < args.length; index += 1) {
  const arg = args[index] ?? '';
  // The first -v is "verify" when no other operation was named, further ones are "verbose".
  if (arg === '--verify') verify = true;
  else if (/^-v+$/.test(arg)) {
    chatter += arg.length - 1;
    if (!verify) {
      verify = true;
      chatter -= 1;
    }
  } else if (/^--verbose(=\d)?$/.test(arg)) chatter += 1;
  else if (arg.startsWith('-R')) {
    const value = arg === '-R' ? args[(index += 1)] : arg.slice(2);
    if (value === undefined) finish(2, { err: `codesign: option requires an argument -- R\n${usage}` });
    // Without `=` it is the path of a file, and nobody here has one.
    if (!value.startsWith('=')) finish(1, { err: `${value}: No such file or directory\n` });
    requirement = value.slice(1);
  } else if (!['--strict', '--deep', '--no-strict'].includes(arg)) {
    if (arg.startsWith('-')) finish(2, { err: `codesign: unrecognized option \`${arg}'\n${usage}` });
    paths.push(arg);
  }
}
if (!verify || paths.length === 0) finish(2, { err: usage });

/** The team that a requirement asks for besides Apple's anchor; the lab knows no other requirement. */
const team =
  requirement === null
    ? null
    : /^anchor apple generic and certificate leaf\[subject\.OU\] = "(\w{10})"$/.exec(requirement)?.[1];
if (team === undefined)
  finish(1, { err: `error: invalid or corrupted code requirement(s)\nRequirement syntax error(s)\n` });

/** Official builds of the runtime, by SHA-256: on this machine they stand for what Node's own signature is on a Mac. */
const official = new Set(JSON.parse(readFileSync('/.lab/lib/official.json', 'utf8')) as string[]);
const nodesTeam = 'HX7739G8FX';
const lcCodeSignature = 0x1d;
/** 2.5.4.11 in DER. */
const organizationalUnit = Buffer.from('060355040b', 'hex');

/** What is wrong with a signature, or by which team Apple vouches for it; null when nobody does (ad hoc). */
type Judgement = { readonly bad: string } | { readonly team: string | null };

/** The team of the certificate in a code signature's CMS blob (magic 0xfade0b01); null of one that has none. */
function teamOf(signature: Buffer): string | null {
  for (let index = 0; index < signature.readUInt32BE(8); index += 1) {
    const at = signature.readUInt32BE(12 + 8 * index + 4);
    if (at + 8 > signature.length || signature.readUInt32BE(at) !== 0xfade0b01) continue;
    const cms = signature.subarray(at + 8, at + signature.readUInt32BE(at + 4));
    const unit = cms.indexOf(organizationalUnit);
    if (unit < 0 || !cms.includes('Apple Root CA')) continue;
    // Behind the name stand the string's type and its length.
    return cms.subarray(unit + organizationalUnit.length + 2).toString('latin1', 0, 10);
  }
  return null;
}

function judge(path: string): Judgement {
  const unsigned = { bad: `${path}: code object is not signed at all\nIn architecture: x86_64\n` };
  const invalid = {
    bad: `${path}: invalid signature (code or signature have been modified)\nIn architecture: x86_64\n`,
  };
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    return { bad: `${path}: No such file or directory\n` };
  const file = readFileSync(path);
  if (official.has(createHash('sha256').update(file).digest('hex'))) return { team: nodesTeam };
  if (file.length < 32 || file.readUInt32LE(0) !== 0xfeedfacf) return unsigned;
  let at = 32;
  for (let commands = file.readUInt32LE(16); commands > 0; commands -= 1) {
    if (at + 16 > file.length) return invalid;
    if (file.readUInt32LE(at) === lcCodeSignature) {
      const offset = file.readUInt32LE(at + 8);
      const whole = offset + file.readUInt32LE(at + 12) <= file.length && offset + 4 <= file.length;
      return whole && file.readUInt32BE(offset) === 0xfade0cc0
        ? { team: teamOf(file.subarray(offset, offset + file.readUInt32LE(at + 12))) }
        : invalid;
    }
    at += Math.max(8, file.readUInt32LE(at + 4));
  }
  return unsigned;
}

let err = '';
let status = 0;
for (const path of paths) {
  const found = judge(path);
  if ('bad' in found) {
    status = 1;
    err += found.bad;
    continue;
  }
  if (chatter > 0) err += `${path}: valid on disk\n${path}: satisfies its Designated Requirement\n`;
  if (team === null || found.team === team) continue;
  if (status === 0) status = 3;
  err += 'test-requirement: code failed to satisfy specified code requirement(s)\n';
}
finish(status, { err });
