import { commandLine } from '../../daemon/lib/command.js';
import { isIpv6, parseAddress } from '../../daemon/lib/prefix.js';
import { plain } from '../../daemon/lib/text.js';
import { askStatus } from '../client.js';
import { addressNamed, areNamesFound } from '../dns-names.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson, printLine } from '../terminal.js';
import { mustName, wantedTarget } from './ping.js';

/** Ports on which a browser finds something, the likeliest first. */
const preferred = [80, 8080, 3000, 8000, 5000, 443, 8443];

const tls: readonly number[] = [443, 8443];

/**
 * `name`, `name.docker`, `name:8080`, `address:80` or, as in a URL, `[fd00::5]:80`. Throws CliError, a usage error, for
 * what is no port.
 */
function partsOf(said: string): { who: string; port: number | null } {
  if (parseAddress(said)) return { who: said, port: null };
  if (/^[a-z]+:\/\//i.test(said))
    throw new CliError(
      `${plain(said, 100)} is a URL: give the container alone, like web or web:8080`,
      exit.usage,
    );
  const [, bracketed, named, digits] = /^(?:\[([^\]]*)\]|([^:[]*))(?::(.*))?$/s.exec(said) ?? [];
  const who = bracketed ?? named ?? said;
  if (digits === undefined) return { who, port: null };
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535)
    throw new CliError(`“${plain(digits, 40)}” is no port: a whole number from 1 to 65535`, exit.usage);
  return { who, port };
}

/**
 * The command that opens a URL: with sudo, as whoever called it (`-u #uid`, sudo(8)), since a browser of root's is
 * nobody's wish; null for root without a caller.
 */
function opener({ uid, env }: Io, url: string): [file: string, ...args: string[]] | null {
  if (uid !== 0) return ['/usr/bin/open', url];
  const caller = env['SUDO_UID'] ?? '';
  return /^[1-9]\d{0,9}$/.test(caller) ? ['/usr/bin/sudo', '-u', `#${caller}`, '/usr/bin/open', url] : null;
}

/** `tuntapctl open CONTAINER[:PORT]`: in the browser, once somebody listens there; 1 when nobody does. */
export async function open(io: Io, said: string, options: { json?: boolean }): Promise<number> {
  const { who, port: wanted } = partsOf(said);
  mustName(who);
  const status = await askStatus(io.socketPath);
  const { name, address, container } = wantedTarget(status, who);
  const from = address !== null && isIpv6(address) ? status.link?.ipv6?.address : status.link?.address;
  const ports = container?.ports ?? [];
  const port = wanted ?? preferred.find((each) => ports.includes(each)) ?? ports[0] ?? 80;
  const { said: answer } =
    address === null || from === undefined
      ? { said: 'there is no way to it' }
      : await io.connect(address, port, from);
  if (address === null || answer !== 'connected')
    throw new CliError(
      `nobody listens on port ${port} of ${name} (${answer}): see ${commandLine('tuntapctl', ['ping', name])}`,
    );
  // What serves several hosts by name is to hear the name, where macOS finds it.
  const isNamed = addressNamed(status, who) === address && areNamesFound(status);
  const host = isNamed ? who.toLowerCase() : isIpv6(address) ? `[${address}]` : address;
  const place = `${host}${[80, 443].includes(port) ? '' : `:${port}`}`;
  const url = `${tls.includes(port) ? 'https' : 'http'}://${place}/`;
  const command = opener(io, url);
  if (!command) throw new CliError(`root opens no browser: open ${url} as yourself`);
  const [file, ...args] = command;
  const { exitCode, stderr } = await io.run(file, args);
  if (exitCode !== 0) throw new CliError(`open ${url}: ${stderr.trim() || `exit ${exitCode}`}`);
  if (options.json === true) printJson(io, { url });
  else printLine(io.stdout, url);
  return exit.healthy;
}
