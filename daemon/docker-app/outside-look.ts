import { lstatSync, type Stats } from 'node:fs';

/** What lstat(2) says of a place. Times are in ms since the epoch. */
export type Outside = Pick<Stats, 'dev' | 'ino' | 'uid' | 'mode' | 'nlink' | 'size' | 'mtimeMs' | 'ctimeMs'>;

/** An lstat, or the code of the system's error. */
export type OutsideAnswer = Outside | string;

/** Looks at a place from outside; hangs where its disk does. */
export function lookOutside(path: string): OutsideAnswer {
  try {
    const { dev, ino, uid, mode, nlink, size, mtimeMs, ctimeMs } = lstatSync(path);
    return { dev, ino, uid, mode, nlink, size, mtimeMs, ctimeMs };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}

/** The stats, or null where nothing can be seen. */
export const statsOf = (answer: OutsideAnswer | undefined): Outside | null =>
  typeof answer === 'object' ? answer : null;

/** Whether nothing is there; what cannot be looked at may be. */
export const saysAbsent = (answer: OutsideAnswer | undefined): boolean =>
  answer === 'ENOENT' || answer === 'ENOTDIR';
