/** What the installation says of itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { plain } from '../daemon/lib/text.js';
import type { Layout } from '../daemon/lib/layout.js';

const manifestSchema = z.object({ version: z.string(), install: z.string().optional() });

async function manifestIn({ prefix }: Layout): Promise<z.infer<typeof manifestSchema> | null> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(prefix, 'manifest.json'), 'utf8')));
  } catch {
    return null;
  }
}

/** The version of the files in the prefix; null where nothing tells it. */
export const installedVersion = async (layout: Layout): Promise<string | null> =>
  (await manifestIn(layout))?.version ?? null;

/** What installs tuntapd again, in the way in which it was installed; from a checkout where nothing tells that. */
export const installFix = async (layout: Layout): Promise<string> =>
  plain((await manifestIn(layout))?.install ?? 'sudo make install-daemon');
