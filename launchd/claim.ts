import { readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plain } from '../daemon/lib/text.js';
import { folder } from './files.js';
import type { Outside } from './launchctl.js';
import type { Layout } from '../daemon/lib/layout.js';
import { Problem } from './problem.js';

/** What a process claims this Mac for. */
export type Work = 'install' | 'uninstall';

interface Claim {
  readonly pid: number;
  /** When the process started, in seconds since 1970: a pid is given out again, and then to a later one. */
  readonly start: number;
  readonly work: Work;
}

/** Who asks, and where. */
interface Place {
  readonly outside: Outside;
  readonly layout: Layout;
}

const doing: Readonly<Record<Work, string>> = { install: 'installed', uninstall: 'uninstalled' };

/** No two processes ever have the same one. */
const nameOf = ({ pid, start, work }: Claim): string => `${pid}-${start}-${work}`;

function claimOf(name: string): Claim | null {
  const [, pid, start, work] = /^(\d+)-(\d+)-(install|uninstall)$/.exec(name) ?? [];
  return work === undefined ? null : { pid: Number(pid), start: Number(start), work: work as Work };
}

/** When each of these processes started; those that have ended are left out. Throws Problem when `ps` fails. */
async function startsOf(pids: readonly number[], outside: Outside): Promise<ReadonlyMap<number, number>> {
  const { stdout, stderr, exitCode } = await outside.run('/bin/ps', [
    '-p',
    pids.join(','),
    '-o',
    'pid=,lstart=',
  ]);
  // Without a message it only says that none of them lives (adv_cmds ps/ps.c).
  if (exitCode !== 0 && stderr !== '')
    throw new Problem(`ps cannot tell whether another installation runs: ${plain(stderr)}`);
  return new Map(
    stdout.split('\n').flatMap((line) => {
      const [, pid, start] = /^ *(\d+) +\w{3} (\w{3} +\d+ [\d:]{8} \d{4}) *$/.exec(line) ?? [];
      return start === undefined ? [] : [[Number(pid), Date.parse(`${start} UTC`) / 1000] as const];
    }),
  );
}

/** Writes the claim, as often as another process that ends takes the empty folder away before. */
async function write(claim: Claim, { layout }: Place): Promise<void> {
  for (let attempt = 1; ; attempt += 1)
    try {
      await folder(layout.claims, 0o700, layout.owner.uid, layout.owner.gid);
      await writeFile(join(layout.claims, nameOf(claim)), '', { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // EEXIST: another one made the folder meanwhile.
      if ((code !== 'ENOENT' && code !== 'EEXIST') || attempt === 20) throw error;
    }
}

/** The claims of living processes but `mine`; whatever else is there is deleted. */
async function others(mine: Claim, { outside, layout }: Place): Promise<readonly Claim[]> {
  const names = (await readdir(layout.claims)).filter((name) => name !== nameOf(mine));
  const claims = names.map(claimOf).filter((claim) => claim !== null);
  const starts =
    claims.length === 0
      ? new Map<number, number>()
      : await startsOf(
          claims.map(({ pid }) => pid),
          outside,
        );
  const living = claims.filter(({ pid, start }) => starts.get(pid) === start);
  const kept = new Set(living.map(nameOf));
  for (const name of names)
    if (!kept.has(name)) await rm(join(layout.claims, name), { recursive: true, force: true });
  return living;
}

/**
 * Who is at work besides `mine`, or null. Of several that begin at the same moment the one with the lowest pid waits a
 * little for the rest to withdraw.
 */
async function rival(mine: Claim, place: Place): Promise<Claim | null> {
  const end = performance.now() + 5000;
  for (;;) {
    const living = await others(mine, place);
    const [first] = living;
    if (!first) return null;
    if (performance.now() >= end || living.some(({ pid }) => pid < mine.pid)) return first;
    await place.outside.pause(100);
  }
}

/**
 * What `does` returns, which runs while no other process installs or removes: each writes its claim before it looks
 * for others', so that of two at least one sees the other. Throws Problem when another installation or removal runs.
 */
export async function alone<T>(place: Place, work: Work, does: () => Promise<T>): Promise<T> {
  const { pid } = process;
  const start = (await startsOf([pid], place.outside)).get(pid);
  if (start === undefined)
    throw new Problem('ps cannot tell when this process started. Nothing was changed.');
  const mine: Claim = { pid, start, work };
  try {
    await write(mine, place);
    const other = await rival(mine, place);
    if (other)
      throw new Problem(
        `tuntapd is being ${doing[other.work]} already (pid ${other.pid}): try again when that has ended. Nothing was changed.`,
      );
    return await does();
  } finally {
    await rm(join(place.layout.claims, nameOf(mine)), { force: true });
    // Unless another's claim is in it.
    await rmdir(place.layout.claims).catch(() => undefined);
  }
}
