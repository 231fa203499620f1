import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';

/** Where a user's current context is named. */
export const contextFile = (home: string): string => join(home, '.docker/config.json');

/** Where the user's context of this name stands (docker/cli cli/context/store/metadatastore.go). */
export const metaFile = (home: string, name: string): string =>
  join(home, '.docker/contexts/meta', createHash('sha256').update(name).digest('hex'), 'meta.json');

/** What the child is to find out: whose context, and which. */
export const requestSchema = z.strictObject({
  uid: z.int().positive(),
  gid: z.int().nonnegative(),
  home: z.string().startsWith('/'),
  /** Null: the current one. */
  name: z.string().min(1).max(256).nullable(),
});

export type ContextRequest = z.infer<typeof requestSchema>;

/** Where a user’s Docker Desktop keeps its settings: from 4.35 on, and before. */
export const settingsFiles = (home: string): { readonly store: string; readonly older: string } => {
  const folder = join(home, 'Library/Group Containers/group.com.docker');
  return { store: join(folder, 'settings-store.json'), older: join(folder, 'settings.json') };
};

/** The other thing that the child is asked: whether a user has switched kernel networking for UDP on. */
export const settingsRequestSchema = z.strictObject({
  uid: z.int().positive(),
  gid: z.int().nonnegative(),
  home: z.string().startsWith('/'),
  settings: z.literal(true),
});

export type SettingsRequest = z.infer<typeof settingsRequestSchema>;

/** Null: the settings do not tell. */
export const settingsAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), kernelForUdp: z.boolean().nullable() }),
  z.strictObject({ ok: z.literal(false), message: z.string().max(1000) }),
]);

export type SettingsAnswer = z.infer<typeof settingsAnswerSchema>;

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
    /** Its socket is not there yet: once it is, it may lead elsewhere. */
    unmade: z.literal(true).optional(),
  }),
  z.strictObject({ ok: z.literal(false), message: z.string().max(1000) }),
]);

export type ContextAnswer = z.infer<typeof answerSchema>;
