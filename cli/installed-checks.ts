/** Doctor's questions about what is installed and what it needs of the Mac: room, parts that fit, nobody in the way. */
import { lstat, readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { Status } from '../daemon/api/messages.js';
import { plain } from '../daemon/lib/text.js';
import { label, type Layout } from '../daemon/lib/layout.js';
import { type Answer, fail, pass, unclear } from './answer.js';
import { CliError } from './exit.js';
import type { Io } from './io.js';

export const install = 'sudo make install-daemon';
export const kickstart = `sudo launchctl kickstart -k system/${label}`;

/** Bytes: less, and a log of the default size or a journal may soon not be written. */
const leastRoom = 16 * 1024 * 1024;

/** Bytes that are left for `folder`, or for the nearest one above that exists, with that one's path. */
async function roomOf(folder: string): Promise<{ path: string; bytes: number }> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return { path: folder, bytes: bavail * bsize };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    return roomOf(dirname(folder));
  }
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MB`;

/** Without room the log stops, and a daemon that starts anew does not know its routes again. */
export async function room({ layout }: Pick<Io, 'layout'>): Promise<Answer> {
  const found = await Promise.all([layout.logs, layout.state].map(roomOf));
  const tight = found.filter(({ bytes }) => bytes < leastRoom);
  if (tight.length === 0)
    return pass(found.map(({ path, bytes }) => `${megabytes(bytes)} left for ${path}`).join(', '));
  return fail(
    `only ${tight.map(({ path, bytes }) => `${megabytes(bytes)} left for ${path}`).join(', ')}: make room`,
    ...tight.map(({ path }) => `sudo du -xhd 1 ${path === layout.logs ? path : dirname(path)}`),
  );
}

const manifestSchema = z.object({ version: z.string() });

/** The version of the files in the prefix; null where nothing tells it. */
async function installedVersion({ prefix }: Layout): Promise<string | null> {
  try {
    const text = await readFile(join(prefix, 'manifest.json'), 'utf8');
    return manifestSchema.parse(JSON.parse(text)).version;
  } catch {
    return null;
  }
}

/** Whether the daemon that runs is the one that is installed, and this command with it. */
export async function versions({ layout, version }: Io, status: Status | CliError): Promise<Answer> {
  if (status instanceof CliError) return unclear('the daemon does not answer');
  if (status.version === version) return pass(version);
  const skew = `tuntapd ${plain(status.version, 40)}, tuntapctl ${version}`;
  // Its files are new already: it has only not been started since.
  if ((await installedVersion(layout)) === version) return fail(skew, kickstart);
  return fail(skew, install);
}

/** Whether runtime and shim are those that were installed with the daemon. */
export async function parts({ layout }: Pick<Io, 'layout'>, status: Status | CliError): Promise<Answer> {
  const { runtime, cliRuntime } = layout;
  const [one, other] = await Promise.all([lstat(runtime), lstat(cliRuntime)]);
  if (one.size !== other.size) return fail(`${runtime} and ${cliRuntime} are two versions of node`, install);
  const { bundles = [] } = status instanceof CliError ? {} : status;
  const outdated = bundles.filter(({ target }) => target === 'outdated-shim');
  return outdated.length === 0
    ? pass('one runtime, and no shim of another version')
    : fail(
        `the shim of another version stands at ${outdated.map(({ hyperkit }) => plain(hyperkit, 300)).join(', ')}`,
        'tuntapctl up',
      );
}

const localNetwork =
  'macOS 15 and newer ask for each app whether it may reach the local network, to which containers belong: one that says ' +
  '“No route to host” where tuntapctl ping gets an answer is to be allowed in System Settings, Privacy & Security, Local Network';
const filters =
  'What tuntapd asks nobody about: rules of pf (a VPN’s kill switch has some) and apps that filter connections (Little ' +
  'Snitch, LuLu). The firewall of macOS is not it: it holds back what comes in, as from a container to a server of this Mac';

/** What no command tells an ordinary program, explained where it may be the cause. */
export async function inTheWay({ run }: Pick<Io, 'run'>, status: Status | CliError): Promise<Answer> {
  if (status instanceof CliError) return unclear('the daemon, which tries, does not answer');
  const macos = Number.parseInt((await run('/usr/bin/sw_vers', ['-productVersion'])).stdout, 10);
  const perApp = macos >= 15 ? [localNetwork] : [];
  const told = status.conditions.find(({ type }) => type === 'DataPath');
  if (told?.status === 'True') return pass(['this Mac is answered', ...perApp].join('\n'));
  const isSilent = told?.reason === 'NothingAnswers';
  return isSilent
    ? unclear([filters, ...perApp].join('\n'), 'sudo pfctl -s rules')
    : pass(['nothing is to be reached now', ...perApp].join('\n'));
}
