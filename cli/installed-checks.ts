/** Doctor's questions about what is installed and what it needs of the Mac: room, parts that fit, nobody in the way. */
import { lstat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Status } from '../daemon/api/messages.js';
import { plain } from '../daemon/lib/text.js';
import { label, type Layout } from '../daemon/lib/layout.js';
import { type Answer, fail, pass, unclear } from './answer.js';
import { askVersion, isAnswered } from './client.js';
import { CliError } from './exit.js';
import { installedVersion, installFix } from './installed.js';
import type { Io } from './io.js';

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

/** The volume on which everything of a Mac lies that changes (macOS 10.15 and newer). */
const dataVolume = 'System/Volumes/Data';

/** What shows who takes the room: beside a folder of tuntapd’s own, or the one above it, all of the volume that is full. */
export const roomFixes = (
  tight: readonly string[],
  { layout, isDataFull }: { layout: Pick<Layout, 'logs' | 'root'>; isDataFull: boolean },
): readonly string[] => [
  ...tight.map((path) => `sudo du -xhd 1 ${path === layout.logs ? path : dirname(path)}`),
  ...(isDataFull ? [`sudo du -xhd 2 ${join(layout.root, dataVolume)}`] : []),
];

/** Without room the log stops, and a daemon that starts anew does not know its routes again. */
export async function room({ layout }: Pick<Io, 'layout'>): Promise<Answer> {
  const volume = join(layout.root, dataVolume);
  const [data, ...found] = await Promise.all([volume, layout.logs, layout.state].map(roomOf));
  const isTight = ({ bytes }: { bytes: number }): boolean => bytes < leastRoom;
  const tight = found.filter(isTight);
  if (tight.length === 0)
    return pass(found.map(({ path, bytes }) => `${megabytes(bytes)} left for ${path}`).join(', '));
  return fail(
    `only ${tight.map(({ path, bytes }) => `${megabytes(bytes)} left for ${path}`).join(', ')}: make room`,
    ...roomFixes(
      tight.map(({ path }) => path),
      { layout, isDataFull: data?.path === volume && isTight(data) },
    ),
  );
}

/** Of the daemon that runs: what it says of itself, also where its status is in words of another version; null: nobody knows. */
async function runningVersion({ socketPath }: Io, status: Status | CliError): Promise<string | null> {
  if (!(status instanceof CliError)) return status.version;
  if (!isAnswered(status)) return null;
  return askVersion(socketPath).then(
    ({ version }) => version,
    () => null,
  );
}

/** Whether the daemon that runs is the one that is installed, and this command with it. */
export async function versions(io: Io, status: Status | CliError): Promise<Answer> {
  const { layout, version } = io;
  const running = await runningVersion(io, status);
  if (running === null) return unclear('the daemon does not answer');
  if (running === version)
    return status instanceof CliError ? unclear(`both are ${version}, and ${status.message}`) : pass(version);
  const skew = `tuntapd ${plain(running, 40)}, tuntapctl ${version}`;
  // Its files are new already: it has only not been started since.
  if ((await installedVersion(layout)) === version) return fail(skew, kickstart);
  return fail(skew, await installFix(layout));
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Whether runtime and shim are those that were installed with the daemon. */
export async function parts({ layout }: Pick<Io, 'layout'>, status: Status | CliError): Promise<Answer> {
  const { runtime, cliRuntime } = layout;
  const [one, other] = await Promise.all([sizeOf(runtime), sizeOf(cliRuntime)]);
  const missing = one === null ? runtime : other === null ? cliRuntime : null;
  if (missing !== null) return fail(`${missing} does not exist`, await installFix(layout));
  if (one !== other)
    return fail(`${runtime} and ${cliRuntime} are two versions of node`, await installFix(layout));
  const { bundles = [], conditions = [] } = status instanceof CliError ? {} : status;
  // Where the shim is not to be there, or cannot be, its condition says so.
  const isWanted = conditions.some(
    (told) => told.type === 'Shim' && told.status === 'True' && told.reason === 'Installed',
  );
  const outdated = isWanted ? bundles.filter(({ target }) => target === 'outdated-shim') : [];
  return outdated.length === 0
    ? pass('one runtime, and no shim of another version')
    : fail(
        `the shim of another version stands at ${outdated.map(({ hyperkit }) => plain(hyperkit, 300)).join(', ')}`,
        'tuntapctl up',
      );
}

/** By TN3179 only what no router forwards is local: the VM's own address, and no container's. Nobody has seen it held. */
const localNetwork =
  'macOS 15 and newer ask for each app whether it may reach the local network. Should one say “No route to host” where ' +
  'tuntapctl ping gets an answer, allow it in System Settings, Privacy & Security, Local Network';
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
