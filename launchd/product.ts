import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Processor } from '../daemon/lib/runtimes.js';
import type { Origin } from './origin.js';
import { Problem } from './problem.js';

const manifestSchema = z.object({
  version: z.string(),
  files: z.array(
    z.object({
      path: z.string().regex(/^(?:[\w-][\w.-]*\/)*[\w-][\w.-]*$/, 'a path inside the product'),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** What `make build` made, read into memory and found whole. */
export interface Product {
  readonly version: string;
  readonly files: readonly { readonly path: string; readonly content: Buffer }[];
}

/** Reads the product in `folder`. Throws Problem when there is none, or a file is not what its manifest says. */
export async function readProduct(folder: string, origin: Origin): Promise<Product> {
  let manifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
  } catch (error) {
    throw new Problem(`${folder} contains no complete build. ${origin.product}`, { cause: error });
  }
  const files = await Promise.all(
    manifest.files.map(async ({ path, sha256 }) => {
      const content = await readFile(join(folder, path));
      if (createHash('sha256').update(content).digest('hex') !== sha256)
        throw new Problem(`${join(folder, path)} differs from what was built. ${origin.product}`);
      return { path, content };
    }),
  );
  return { version: manifest.version, files };
}

/**
 * Throws Problem unless the runtime at `path` is npm's official build of the version `node` for this processor:
 * Homebrew's and nvm's node, and the libraries they load, can be replaced by an ordinary user.
 */
export function requireOfficial(
  path: string,
  version: string,
  { node, processor }: { node: string; processor: Processor },
  origin: Origin,
): void {
  const [, builtFor] = /\/node_modules\/node-[a-z]+(?:-old|-11)?-(x64|arm64)\/bin\/node$/.exec(path) ?? [];
  if (builtFor === processor && version === node) return;
  throw new Problem(
    `${path} (${version}) is not the official build of node ${node} that root is to run. ${origin.runtime}`,
  );
}
