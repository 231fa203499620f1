import type { Stats } from 'node:fs';
import { lstat, readlink, realpath } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { ReasonOf } from '../api/reasons/registry.js';
import type { ConsoleUser } from '../core/observation.js';
import { unfitSocketPath } from '../lib/socket-path.js';
import { messageOf } from '../lib/text.js';

/**
 * Rejects where the disk on which a place lies, or to which it leads, does not answer. Every place of a user's is asked
 * so before anything of it is touched here: a look would hold a thread of the four that all files share, and connect(2)
 * waits in the loop itself.
 */
export type Answers = (place: string) => Promise<unknown>;

/** Why no engine could be dialled. */
export class DialError extends Error {
  readonly reason: ReasonOf<'Engine'>;
  constructor(message: string, reason: ReasonOf<'Engine'>) {
    super(message);
    this.name = 'DialError';
    this.reason = reason;
  }
}

/** Where a user's Docker Desktop offers its engine, the user's own places first: 4.13+ no longer makes the last one. */
export const enginePlaces = ({ home }: Pick<ConsoleUser, 'home'>): readonly string[] => [
  join(home, '.docker/run/docker.sock'),
  join(home, 'Library/Containers/com.docker.docker/Data/docker.raw.sock'),
  '/var/run/docker.sock',
];

/** Docker Desktop's own folders in a home. */
const ownFolders = [
  '.docker',
  'Library/Containers/com.docker.docker',
  'Library/Group Containers/group.com.docker',
];

/** More links than macOS follows (MAXSYMLINKS). */
const maxLinks = 40;

/** Where each link of a place leads, as it says itself and as it is. */
async function linksFrom(place: string): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    for (let at = place; found.length < 2 * maxLinks;) {
      const folder = await realpath(dirname(at));
      const whole = join(folder, basename(at));
      if (at !== place) found.push(at, whole);
      const target = await readlink(whole);
      // As it is written: `..` behind a folder that is a link leads to that folder's own parent.
      at = isAbsolute(target) ? target : `${folder}/${target}`;
    }
  } catch {
    // The last one is no link.
  }
  return found;
}

/**
 * A place that leads to elsewhere in the home, or by way of it, leads to another runtime's engine: colima, OrbStack and
 * Rancher Desktop put such a link at /var/run/docker.sock, and so does podman, whose own link there goes on to a folder of
 * macOS's (pkg/machine/shim/networking_unix.go). Of `place` it is known that it answers. Throws DialError `SocketOfAnother`.
 */
async function refuseOtherRuntimes(
  place: string,
  { home }: Pick<ConsoleUser, 'home'>,
  answers: Answers,
): Promise<void> {
  const answering = async (path: string): Promise<string | null> => {
    try {
      await answers(path);
      return await realpath(path);
    } catch {
      return null;
    }
  };
  const socket = await realpath(place).catch(() => null);
  // A link that leads nowhere: whoever dials says so.
  if (socket === null) return;
  const [links, [whole = null, ...own]] = await Promise.all([
    linksFrom(place),
    Promise.all([home, ...ownFolders.map((folder) => join(home, folder))].map(answering)),
  ]);
  const isIn = (path: string) => (folder: string | null) => folder !== null && path.startsWith(`${folder}/`);
  if (own.some(isIn(socket))) return;
  const other = [...links, socket].find((path) => isIn(path)(whole) && !own.some(isIn(path)));
  if (other !== undefined)
    throw new DialError(`${place} leads to ${other}, which is not Docker Desktop’s`, 'SocketOfAnother');
}

/** Device, inode and change time of a socket and of every folder above it: what a swap of any of them changes. */
async function fingerprint(path: string): Promise<string> {
  const above: string[] = [path];
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) above.push(folder);
  const stats = await Promise.all(above.map((entry) => lstat(entry, { bigint: true })));
  return stats.map(({ dev, ino, ctimeNs }) => `${dev} ${ino} ${ctimeNs}`).join('|');
}

const connected = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      // Its user sees that it is closed; until then nothing listens for errors.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });

/**
 * A connection to the socket that `place` leads to, which must be the user's own.
 *
 * The folders are the user's, and macOS cannot connect relative to a folder that is held: between the check and the
 * connection a link could be put in the way of root. So the whole way is looked at before and after, and before
 * anything is said or heard: nobody can exchange any part of it, and put it back, without changing a change time.
 *
 * Throws DialError: `SocketMissing`, `SocketForeign`, `SocketStale`, `SocketSwapped`, `SocketPathTooLong`, or whatever
 * the system said.
 */
export async function dial(place: string, uid: number): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await dialOnce(place, uid);
    } catch (error) {
      // Docker makes files beside its socket, which changes the folder too, but not three times in a row.
      if (!(error instanceof DialError && error.reason === 'SocketSwapped') || attempt === 3) throw error;
    }
  }
}

async function dialOnce(place: string, uid: number): Promise<Socket> {
  let path: string;
  try {
    path = await realpath(place);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new DialError(`${place}: ${message}`, 'SocketRefused');
    const dangling = await lstat(place).then(
      () => true,
      () => false,
    );
    throw new DialError(
      dangling ? `${place} leads to a socket that is not there` : `${place} does not exist`,
      'SocketMissing',
    );
  }
  const unfit = unfitSocketPath(path);
  if (unfit !== null)
    throw new DialError(`${place} leads to a socket that cannot be dialled: ${unfit}`, 'SocketPathTooLong');
  const swapped = new DialError(`${place} was changed while it was dialled`, 'SocketSwapped');
  const look = (): Promise<[string, Stats]> =>
    Promise.all([fingerprint(path), lstat(path)]).catch(() => {
      throw swapped;
    });
  const [before, stats] = await look();
  if (!stats.isSocket()) throw new DialError(`${place} is not a socket`, 'SocketForeign');
  if (stats.uid !== uid)
    throw new DialError(
      `${place} belongs to uid ${stats.uid}, not to the user in front of the Mac (uid ${uid})`,
      'SocketForeign',
    );
  let socket: Socket;
  try {
    socket = await connected(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === 'ECONNREFUSED'
      ? new DialError(`${place} is left over: nobody listens there any more`, 'SocketStale')
      : new DialError(`${place}: ${message}`, 'SocketRefused');
  }
  const [after] = await look().catch(() => ['']);
  if (after !== before) {
    socket.destroy();
    throw swapped;
  }
  return socket;
}

/** Throws DialError `SocketRefused` where the place does not answer. */
async function ensureAnswers(place: string, answers: Answers): Promise<void> {
  try {
    await answers(place);
  } catch (error) {
    throw new DialError(messageOf(error), 'SocketRefused');
  }
}

/** What is said when no place works: of several the one that tells most. */
const telling: readonly ReasonOf<'Engine'>[] = [
  'SocketForeign',
  'SocketSwapped',
  'SocketPathTooLong',
  'SocketRefused',
  'SocketStale',
  'SocketOfAnother',
  'SocketMissing',
];

/**
 * The first of the user's places that answers, as a function that dials it again; a leftover of a Docker that crashed
 * does not hide a living one. Throws DialError when there is none.
 */
export async function findEngine(
  user: ConsoleUser,
  answers: Answers,
  places: readonly string[] = enginePlaces(user),
): Promise<() => Promise<Socket>> {
  const troubles: DialError[] = [];
  for (const place of places) {
    const open = async (): Promise<Socket> => {
      await ensureAnswers(place, answers);
      await refuseOtherRuntimes(place, user, answers);
      return dial(place, user.uid);
    };
    try {
      (await open()).destroy();
      return open;
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      troubles.push(error);
    }
  }
  const reason =
    telling.find((name) => troubles.some((trouble) => trouble.reason === name)) ?? 'SocketMissing';
  const told = troubles.filter((trouble) => trouble.reason !== 'SocketMissing' || reason === 'SocketMissing');
  throw new DialError(told.map(({ message }) => message).join('; '), reason);
}

/** The same for a runtime other than Docker Desktop, whose one socket is known. */
export async function findEngineAt(
  socket: string,
  { uid }: Pick<ConsoleUser, 'uid'>,
  answers: Answers,
): Promise<() => Promise<Socket>> {
  const open = async (): Promise<Socket> => {
    await ensureAnswers(socket, answers);
    return dial(socket, uid);
  };
  (await open()).destroy();
  return open;
}
