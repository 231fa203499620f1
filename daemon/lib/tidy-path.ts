import { resolve } from 'node:path';

/** An absolute path as nobody would have to type it: no `.`, no `..`, no slash at its end. Looks at no disk. */
export const tidyPath = (path: string): string => resolve('/', path);
