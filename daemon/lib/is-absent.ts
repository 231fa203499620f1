import { lstat } from 'node:fs/promises';

/** Whether nothing is at `path`; what cannot be looked at may be there. */
export const isAbsent = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => false,
    (error: unknown) => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''),
  );
