import { join } from 'node:path';
import * as z from 'zod';

/** Where a user's current context is named. */
export const contextFile = (home: string): string => join(home, '.docker/config.json');

/** What the child is to find out: whose context, and which. */
export const requestSchema = z.strictObject({
  uid: z.int().positive(),
  gid: z.int().nonnegative(),
  home: z.string().startsWith('/'),
  /** Null: the current one. */
  name: z.string().min(1).max(256).nullable(),
});

export type ContextRequest = z.infer<typeof requestSchema>;

/** What it says, which is untrusted. */
export const answerSchema = z.discriminatedUnion('ok', [
  z.strictObject({
    ok: z.literal(true),
    /** Null: there is no context of this name. */
    context: z
      .strictObject({
        name: z.string().min(1).max(256),
        host: z.string().max(1024),
        socket: z.string().startsWith('/').max(1024).nullable(),
      })
      .nullable(),
  }),
  z.strictObject({ ok: z.literal(false), message: z.string().max(1000) }),
]);

export type ContextAnswer = z.infer<typeof answerSchema>;
