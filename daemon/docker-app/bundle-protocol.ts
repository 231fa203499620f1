import { z } from 'zod';

/** What the daemon asks of the child that works in a user's bundle. */
export const requestSchema = z.strictObject({
  action: z.enum(['inspect', 'install', 'restore']),
  folder: z.string(),
  /** Device and inode of the folder, so that one swapped meanwhile is noticed. */
  device: z.number(),
  inode: z.number(),
  name: z.string().regex(/^[\w.-]+$/),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
  shim: z.string(),
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
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  mtime: z.number(),
});

/** The child's answer: untrusted, since it runs as the user. */
export const answerSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    version: z.string().max(40).nullable(),
    target: fileSchema,
    original: fileSchema,
  }),
  z.strictObject({ ok: z.literal(false), code: z.string().max(40), message: z.string().max(2000) }),
]);

export type WorkerRequest = z.infer<typeof requestSchema>;
export type WorkerAnswer = z.infer<typeof answerSchema>;
