import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseConfig } from './parse.js';
import { ConfigError } from './problems.js';
import { type Config, configSchema } from './schema.js';

export { ConfigError } from './problems.js';

/** Where the configuration is; it need not exist. */
export const configPath = '/etc/tuntapd/config.toml';

/** More than any configuration needs; a root daemon reads nothing without a bound. */
const maxBytes = 1_048_576;

export interface LoadedConfig {
  readonly config: Config;
  /** `defaults` when there is no file, else its path. */
  readonly source: string;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

const wholeFile = (path: string, message: string, cause?: unknown): ConfigError =>
  new ConfigError(path, [{ key: '', line: null, value: null, message }], { cause });

/** What it says, and whether that is valid, only root can tell. */
const closed = (path: string, cause: unknown): ConfigError =>
  new ConfigError(
    path,
    [{ key: '', line: null, value: null, message: 'only root reads it: sudo tuntapctl config check' }],
    { headline: `${path} is closed to this account:`, isClosed: true, cause },
  );

/** Root obeys what others could change here; `fix` takes it from them. */
const distrusted = (path: string, what: string, fix: string): ConfigError =>
  new ConfigError(
    path,
    [
      {
        key: '',
        line: null,
        value: null,
        message: `${what}, so anybody could change what root does: ${fix}`,
      },
    ],
    { fix },
  );

const octal = (stats: Stats): string => (stats.mode & 0o7777).toString(8).padStart(4, '0');

/** Who else than root could change it, as words; null when nobody could. */
function openToOthers(stats: Stats, owner: number): string | null {
  if (stats.uid !== 0 && stats.uid !== owner) return `belongs to uid ${stats.uid}, not to root`;
  // In a sticky folder (/tmp) others cannot rename or remove what is not theirs.
  const sticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  return (stats.mode & 0o022) !== 0 && !sticky
    ? `is writable by others than root (mode ${octal(stats)})`
    : null;
}

/** Root obeys this file, and who can replace a folder above it can replace the file. */
async function checkFolders(path: string, owner: number): Promise<void> {
  // `/etc` is a link to `/private/etc` on macOS.
  for (let folder = await realpath(dirname(path)); ; folder = dirname(folder)) {
    const trouble = openToOthers(await lstat(folder), owner);
    if (trouble !== null)
      throw distrusted(
        path,
        `its folder ${folder} ${trouble}`,
        `sudo chown root ${folder} && sudo chmod go-w ${folder}`,
      );
    if (folder === dirname(folder)) return;
  }
}

async function readChecked(file: FileHandle, path: string, owner: number): Promise<string> {
  const stats = await file.stat();
  if (!stats.isFile()) throw wholeFile(path, 'it is not a regular file');
  const trouble = openToOthers(stats, owner);
  if (trouble !== null)
    throw distrusted(path, `it ${trouble}`, `sudo chown root ${path} && sudo chmod 644 ${path}`);
  if (stats.size > maxBytes) throw wholeFile(path, `it is larger than ${maxBytes} bytes`);
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length <= maxBytes; length += read)
    read = (await file.read(bytes, length, bytes.length - length, null)).bytesRead;
  if (length > maxBytes) throw wholeFile(path, `it is larger than ${maxBytes} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  } catch (error) {
    throw wholeFile(path, 'it is not UTF-8 text', error);
  }
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    // O_NONBLOCK: a FIFO at this path must not stall the daemon.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return null;
    if (code === 'EACCES' && process.geteuid?.() !== 0) throw closed(path, error);
    throw wholeFile(
      path,
      code === 'ELOOP'
        ? 'it is a symbolic link; root follows none: put the file itself there'
        : `it cannot be read: ${(error as Error).message}`,
      error,
    );
  }
}

/**
 * The text of the file at `path`, or null when there is none. Only a regular file that nobody but root (or `owner`)
 * can change is read, through one descriptor. Throws ConfigError that says what to do.
 */
export async function readConfigText(path: string, options: { owner?: number } = {}): Promise<string | null> {
  const owner = options.owner ?? 0;
  const file = await openFile(path);
  if (!file) return null;
  try {
    await checkFolders(path, owner);
    return await readChecked(file, path, owner);
  } finally {
    await file.close();
  }
}

/**
 * The configuration: the file's, or the defaults when there is none. Wholly or not at all: throws ConfigError with
 * its problems. `owner` is the uid, besides root, that may own the file and its folders (nobody by default).
 */
export async function loadConfig(path = configPath, options: { owner?: number } = {}): Promise<LoadedConfig> {
  const text = await readConfigText(path, options);
  return text === null
    ? { config: configSchema.parse({}), source: 'defaults' }
    : { config: parseConfig(text, path), source: path };
}
