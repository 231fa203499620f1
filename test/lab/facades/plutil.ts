/** `plutil -lint F…`, `-convert json|xml1 -o OUT F`, `-extract KEYPATH raw|json|xml1 -o OUT F` for XML plists. */
import { readFileSync, writeFileSync } from 'node:fs';
import { build, parse, type PlistValue } from 'plist';
import { finish } from './lib/say.js';

const usage = `plutil: [command_option] [other_options] file...
The file '-' means stdin
`;
const args = process.argv.slice(2);
const verb = args.shift();
const operands: string[] = [];
const need = verb === '-convert' ? 1 : verb === '-extract' ? 2 : 0;
while (operands.length < need) operands.push(args.shift() ?? finish(1, { err: usage }));
let output: string | null = null;
const files: string[] = [];
while (args.length > 0) {
  const arg = args.shift() ?? '';
  if (arg === '-o') output = args.shift() ?? finish(1, { err: usage });
  else if (arg === '-r' || arg === '-s' || arg === '-n') continue;
  else if (arg === '--') files.push(...args.splice(0));
  else if (arg.startsWith('-') && arg !== '-') finish(1, { err: `Unknown option: ${arg}\n${usage}` });
  else files.push(arg);
}
if (files.length === 0) finish(1, { err: `No files specified.\n${usage}` });

const text = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch {
    finish(1, { err: `${file}: file does not exist or is not readable or is not a regular file\n` });
  }
};
const read = (file: string): unknown => parse(text(file).replaceAll(/<(true|false)>\s*<\/\1>/g, '<$1/>'));

/** The line on which it goes wrong, as plutil counts, for the mistakes that people make. */
function complaint(file: string): string | null {
  try {
    if (read(file) === undefined) return 'Property List error: Unexpected character at line 1';
    return null;
  } catch (error) {
    const line = /line:?\s*(\d+)/i.exec(String(error))?.[1] ?? '1';
    return `Encountered improper XML on line ${line}`;
  }
}

const write = (file: string, content: string): void => {
  if ((output ?? file) === '-') process.stdout.write(content);
  else writeFileSync(output ?? file, content);
};
const encode = (file: string, format: string, value: unknown): string => {
  if (format === 'json') return JSON.stringify(value);
  if (format === 'xml1') return `${build(value as PlistValue)}\n`;
  return finish(1, { err: `${file}: Unknown format specifier: ${format}\n` });
};

if (verb === '-lint') {
  let status = 0;
  for (const file of files) {
    const bad = complaint(file);
    if (bad !== null) status = 1;
    process.stdout.write(`${file}: ${bad ?? 'OK'}\n`);
  }
  process.exitCode = status;
} else if (verb === '-convert' || verb === '-extract') {
  for (const file of files) {
    const bad = complaint(file);
    if (bad !== null) finish(1, { err: `${file}: Property List error: ${bad}\n` });
    let value = read(file);
    const [first = '', format = ''] = operands;
    if (verb === '-convert') write(file, encode(file, first, value));
    else {
      for (const key of first.split('.'))
        value =
          typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
      if (value === undefined)
        finish(1, {
          err: `${file}: Could not extract value, error: No value at that key path or invalid key path: ${first}\n`,
        });
      if (format === 'raw') {
        const raw =
          typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
            ? String(value)
            : Array.isArray(value)
              ? String(value.length)
              : Object.keys(value as object).join('\n');
        write(file, `${raw}\n`);
      } else write(file, encode(file, format, value));
    }
  }
} else
  finish(1, {
    err: verb === undefined ? `No files specified.\n${usage}` : `Unrecognized option: ${verb}\n${usage}`,
  });
