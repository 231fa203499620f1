/** The file that a report goes to. */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, plain } from '../daemon/lib/text.js';
import { CliError, exit } from './exit.js';

/** Throws CliError, a usage error for a path that is none. */
export function pathFor(output: string): string {
  if (output === '') throw new CliError('--output needs the path of a file', exit.usage);
  try {
    return resolve(output);
  } catch (error) {
    throw new CliError(
      'the folder in which this runs is gone: give the whole path of a file with --output',
      undefined,
      {
        cause: error,
      },
    );
  }
}

const whys: Readonly<Record<string, string>> = {
  EEXIST: 'it exists, and stays as it is',
  ENOENT: 'there is no such folder',
  ENOTDIR: 'there is no such folder',
  EACCES: 'this account may not write there',
  EPERM: 'this account may not write there',
  EROFS: 'its disk is read-only',
  ENOSPC: 'its disk is full',
  ENAMETOOLONG: 'its name is too long',
};

/** All of it or nothing, and never over another file. Throws CliError. */
export async function writeReport(path: string, content: Buffer): Promise<void> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, 'wx', 0o600);
    await file.writeFile(content);
  } catch (error) {
    if (file) await rm(path, { force: true });
    const why = whys[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error);
    throw new CliError(
      `no report is written to ${plain(path)}: ${why}. Elsewhere: tuntapctl bugreport --output FILE`,
      undefined,
      { cause: error },
    );
  } finally {
    await file?.close();
  }
}
