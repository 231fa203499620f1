import * as z from 'zod';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const fileName = /^(?!\.{1,2}$)[\w. -]+$/;

/** What the daemon asks of the child that works in a user's bundle. */
export const requestSchema = z.strictObject({
  action: z.enum(['inspect', 'install', 'restore']),
  /** Absolute path of the app, and the folders from there to hyperkit's. */
  app: z.string().startsWith('/'),
  way: z.array(z.string().regex(fileName)).min(1),
  /** `device:inode` of hyperkit's folder, so that one swapped meanwhile is noticed. */
  folder: z.string(),
  name: z.string().regex(fileName),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
  shim: z.string(),
  /** What was journalled: no other file may become the original, or be given back. */
  expected: sha256.nullable(),
});

const fileSchema = z.strictObject({
  kind: z.enum([
    'mach-o',
    'shim',
    'outdated-shim',
    'docker-tuntap-osx-shim',
    'foreign-script',
    'incomplete',
    'missing',
    'refused',
    'unrecognised',
  ]),
  detail: z.string().max(2000),
  sha256: sha256.nullable(),
  size: z.number().nonnegative(),
  mtime: z.number(),
});

/** The child's answer: untrusted, since it runs as the user. */
export const answerSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    version: z.string().max(40).nullable(),
    target: fileSchema,
    original: fileSchema,
    leftovers: z.boolean(),
  }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(40), message: z.string().max(2000) }),
]);

export type WorkerRequest = z.infer<typeof requestSchema>;
export type WorkerAnswer = z.infer<typeof answerSchema>;

/** Work that is not done, with a code of its own or the system's (`EPERM`). */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
