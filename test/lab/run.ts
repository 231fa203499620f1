/** `test/lab/run [OPTION…] -- COMMAND…`: enters a fresh Mac, runs the command there as root, ends the Mac. */
import { parseArgs } from 'node:util';
import { bootMac, type EngineName } from './lab.js';
import type { Kext } from './mac/options.js';

const usage = `usage: test/lab/run [--engine bookworm|trixie|sid] [--kext loaded|installed|refused|absent]
                    [--macos VERSION] [--user person] [--no-login] -- COMMAND [ARGUMENT…]
`;

const oneOf = <T extends string>(
  what: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined => {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`--${what} is one of ${allowed.join(', ')}, not ${value}`);
  return found;
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: 'string' },
    kext: { type: 'string' },
    macos: { type: 'string' },
    user: { type: 'string', default: 'root' },
    'no-login': { type: 'boolean', default: false },
  },
});
if (positionals.length === 0) {
  process.stderr.write(usage);
  process.exit(2);
}
const engine = oneOf<EngineName>('engine', values.engine, ['bookworm', 'trixie', 'sid']);
const kext = oneOf<Kext>('kext', values.kext, ['loaded', 'installed', 'refused', 'absent']);
const mac = await bootMac({
  ...(engine === undefined ? {} : { engine }),
  ...(kext === undefined ? {} : { kext }),
  ...(values.macos === undefined ? {} : { macos: values.macos }),
  ...(values['no-login'] ? { login: null } : {}),
  progress: (line) => process.stderr.write(`${line}\n`),
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => void mac.end().then(() => process.exit(130)));
const child = mac.spawn(positionals, { user: values.user, stdio: 'inherit' });
const code = await new Promise<number>((resolve) =>
  child.once('exit', (exit) => {
    resolve(exit ?? 128);
  }),
);
await mac.end();
process.exit(code);
