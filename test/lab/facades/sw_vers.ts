/** `sw_vers`: plain, or one of its three values. */
import { darwinOf } from './lib/releases.js';
import { type Caller, finish } from './lib/served.js';

export async function swVers({ args, call }: Caller): Promise<never> {
  const { macos } = await call<{ macos: string }>('mac.about');
  const modern = Number.parseInt(macos, 10) >= 11;
  const values: Readonly<Record<string, string>> = {
    productName: modern ? 'macOS' : 'Mac OS X',
    productVersion: macos,
    buildVersion: darwinOf(macos).build,
  };
  const [option, ...more] = args;
  if (option === undefined) {
    const lines = Object.entries(values).map(
      ([name, value]) =>
        `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}:${modern ? '\t\t' : '\t'}${value}\n`,
    );
    finish(0, { out: lines.join('') });
  }
  // Two dashes came with macOS 13.
  const value = values[option.replace(Number.parseInt(macos, 10) >= 13 ? /^--?/ : /^-/, '')];
  if (value === undefined || more.length > 0)
    finish(1, { err: 'Usage: sw_vers [-productName|-productVersion|-buildVersion]\n' });
  finish(0, { out: `${value}\n` });
}
