import { constants } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { smallFileText } from '../daemon/lib/small-file.js';
import { toDisk } from '../daemon/lib/to-disk.js';
import type { Outside } from './launchctl.js';
import type { Layout } from '../daemon/lib/layout.js';
import { isOurs, maxResolverFile } from '../daemon/lib/resolver-text.js';
import type { Origin } from './origin.js';
import type { Product } from './product.js';
import { trustIn, untrusted } from '../daemon/lib/trusted-path.js';

const absent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Whether anything is at `path`, a dangling link included. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => {
      if (absent(error)) return false;
      throw error;
    },
  );
}

/** The text of a file, or null when there is none. */
export async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (absent(error)) return null;
    throw error;
  });
}

/** Makes sure of a folder with that owner and mode, whatever the umask says. Its parents are made 0755. */
export async function folder(path: string, mode: number, uid: number, gid: number): Promise<void> {
  if (!(await exists(path))) {
    if (!(await exists(dirname(path)))) await folder(dirname(path), 0o755, uid, gid);
    await mkdir(path, { mode });
  }
  await chown(path, uid, gid);
  await chmod(path, mode);
}

/**
 * Takes away the resolver files of a daemon that could not do so itself, and the folder where nothing else is in it: each
 * lookup of their domain would wait for nobody. A folder that somebody has been given since stays.
 */
export async function removeResolvers({ resolvers, root, owner }: Layout): Promise<void> {
  const { distrust, isWithinReach } = await trustIn(resolvers, { from: root, uid: owner.uid });
  if (!isWithinReach) return;
  let left = 0;
  for (const name of await readdir(resolvers)) {
    const path = join(resolvers, name);
    const text = await smallFileText(path, maxResolverFile);
    if (text !== null && isOurs(text)) await rm(path);
    else left += 1;
  }
  if (left === 0 && distrust === null) await rmdir(resolvers);
}

async function place(path: string, content: Buffer | string, mode: number, layout: Layout): Promise<void> {
  await writeFile(path, content, { flag: 'wx', mode });
  await chown(path, layout.owner.uid, layout.owner.gid);
  await chmod(path, mode);
}

async function own(to: string, mode: number, layout: Layout): Promise<void> {
  await chown(to, layout.owner.uid, layout.owner.gid);
  await chmod(to, mode);
}

/**
 * A second file of the same bytes: on APFS a clone, which costs no space (libuv makes none), elsewhere a copy. Only of
 * root's own file, for a clone inherits attributes that Node cannot see.
 */
async function clone(from: string, to: string, outside: Pick<Outside, 'run'>): Promise<void> {
  const cloned = await outside.run('/bin/cp', ['-c', from, to]).catch(() => null);
  if (cloned?.exitCode === 0) return;
  await rm(to, { force: true });
  await copyFile(from, to, constants.COPYFILE_EXCL);
}

/** The command: no `env node`, for what that finds may be the user's; nothing of the caller's that changes node. */
const command = (layout: Layout): string => `#!/bin/sh
unset NODE_OPTIONS NODE_PATH
exec ${layout.cliRuntime} ${join(layout.prefix, 'lib/tuntapctl.mjs')} "$@"
`;

/**
 * Builds the whole prefix at its staging place, next to where it will be, and has it on the disk. Returns the runtime
 * that root will run.
 */
export async function stage(
  layout: Layout,
  product: Product,
  runtime: string,
  outside: Pick<Outside, 'run'>,
  origin: Origin,
): Promise<string> {
  const { uid, gid } = layout.owner;
  const at = (path: string): string => join(layout.staged, path);
  await rm(layout.staged, { recursive: true, force: true });
  await folder(layout.staged, 0o755, uid, gid);
  await folder(at('bin'), 0o755, uid, gid);
  const staged = at(join('bin', basename(layout.runtime)));
  // For root only: a privacy grant given to it must not serve every script that somebody runs with it.
  await copyFile(runtime, staged, constants.COPYFILE_EXCL);
  await own(staged, 0o744, layout);
  const forEverybody = at(join('bin', basename(layout.cliRuntime)));
  await clone(staged, forEverybody, outside);
  await own(forEverybody, 0o755, layout);
  await place(at(join('bin', basename(layout.cli))), command(layout), 0o755, layout);
  for (const { path, content } of product.files) {
    await folder(dirname(at(path)), 0o755, uid, gid);
    await place(at(path), content, 0o644, layout);
  }
  // For doctor: what is installed, whichever daemon runs, and how to install it again.
  const manifest = { version: product.version, install: origin.again };
  await place(at('manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, 0o644, layout);
  // Names reach the disk before contents: after a power cut the prefix would have empty programs.
  for (const path of ['.', ...(await readdir(layout.staged, { recursive: true }))]) await toDisk(at(path));
  return staged;
}

/** Writes a file at once or not at all, as launchd wants its plist: root's, 0644. Without a text it is deleted. */
export async function write(path: string, text: string | null, layout: Layout): Promise<void> {
  if (text === null) {
    await rm(path, { force: true });
    return;
  }
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await place(temporary, text, 0o644, layout);
  await toDisk(temporary);
  await rename(temporary, path);
  await toDisk(dirname(path));
}

/**
 * Puts the staged prefix in place; the old one, if there is one, waits beside it. Also repairs what an interrupted
 * swap left.
 */
export async function swapIn(layout: Layout): Promise<void> {
  await rm(layout.previous, { recursive: true, force: true });
  if (await exists(layout.prefix)) await rename(layout.prefix, layout.previous);
  await rename(layout.staged, layout.prefix);
  await toDisk(dirname(layout.prefix));
}

/** Gives the old prefix its place back, wherever the swap stopped. */
export async function swapBack(layout: Layout): Promise<void> {
  // As long as the new one is staged, what stands at the prefix is the old one.
  if (!(await exists(layout.staged)) && (await exists(layout.previous)))
    await rm(layout.prefix, { recursive: true, force: true });
  await mendSwap(layout);
  await rm(layout.staged, { recursive: true, force: true });
}

/** After an interruption between the two renames of a swap: the old prefix is at its place again. */
export async function mendSwap(layout: Layout): Promise<void> {
  if (!(await exists(layout.prefix)) && (await exists(layout.previous)))
    await rename(layout.previous, layout.prefix);
}

type LinkState = 'ours' | 'absent' | 'foreign';

/** Whose the CLI's link at `path` is. */
async function linkState(path: string, layout: Layout): Promise<LinkState> {
  try {
    return (await readlink(path)) === layout.cli ? 'ours' : 'foreign';
  } catch (error) {
    return absent(error) ? 'absent' : 'foreign';
  }
}

/**
 * Links the CLI into everybody's PATH unless something else is there; returns whose it is then. `absent`: its folder
 * is missing, where not root alone could make one, or leads elsewhere by somebody else's will.
 */
export async function linkCli(layout: Layout): Promise<LinkState> {
  const state = await linkState(layout.cliLink, layout);
  if (state !== 'absent') return state;
  const place = dirname(layout.cliLink);
  const { uid, gid } = layout.owner;
  if (!(await exists(place))) {
    // Others who may write there could put a link in the new folder's place, and its target would be opened to all.
    if ((await untrusted(place, { from: layout.root, uid })).length > 0) return state;
    await folder(place, 0o755, uid, gid);
  }
  // Others who may write above it could point it at a folder of root's: work in the one that was checked.
  const isRoots = (await untrusted(place, { from: layout.root, uid })).length === 0;
  const before = process.cwd();
  process.chdir(place);
  try {
    if (!isRoots && process.cwd() !== place) return state;
    await symlink(layout.cli, basename(layout.cliLink));
  } finally {
    process.chdir(before);
  }
  return 'ours';
}

/** Removes the CLI's link if it is ours; returns what it was. */
export async function unlinkCli(layout: Layout): Promise<LinkState> {
  const before = process.cwd();
  try {
    // Others who may write above its folder could point it elsewhere meanwhile: work in one and the same.
    process.chdir(dirname(layout.cliLink));
  } catch (error) {
    return absent(error) ? 'absent' : 'foreign';
  }
  try {
    const link = basename(layout.cliLink);
    const state = await linkState(link, layout);
    if (state === 'ours') await unlink(link);
    return state;
  } finally {
    process.chdir(before);
  }
}
