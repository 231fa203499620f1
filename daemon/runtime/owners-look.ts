import type { Look } from '../docker-app/outside.js';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Looks at places in users' files from outside, each through a child of `childOf` that has become their owner. Rejects as
 * `Look` does; what is there, if anything, does not matter.
 */
export function createOwnersLook(childOf: (owner: Owner) => { look: Look; stop: () => void }): {
  readonly answers: (owner: Owner, path: string) => Promise<void>;
  readonly stop: () => void;
} {
  const children = new Map<number, ReturnType<typeof childOf>>();
  return {
    answers: async ({ uid, gid }, path) => {
      const child = children.get(uid) ?? childOf({ uid, gid });
      children.set(uid, child);
      // What is below it leads through a link at its end, too.
      await child.look(path, [path, `${path}/.`]);
    },
    stop: () => {
      for (const { stop } of children.values()) stop();
    },
  };
}
