import { lchown, lstat } from 'node:fs/promises';
import { type Seen, seen, type TapDevice, unknown } from '../core/observation.js';
import { StepError } from '../core/steps.js';
import { messageOf } from '../lib/text.js';

/** `/dev/tapN`; null while no tap kext is loaded. */
export async function observeTapDevice(device: string): Promise<Seen<TapDevice | null>> {
  const path = `/dev/${device}`;
  try {
    const stats = await lstat(path);
    if (!stats.isCharacterDevice()) return unknown(`${path} is not a character device`);
    return seen({ path, uid: stats.uid, gid: stats.gid, mode: stats.mode & 0o7777 });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? seen(null) : unknown(messageOf(error));
  }
}

/** Gives the device to a user, group and mode (0660) as they are. devfs forgets it at the next boot. */
export async function ownTapDevice(path: string, uid: number): Promise<void> {
  const { gid } = await lstat(path);
  await lchown(path, uid, gid);
  const now = (await lstat(path)).uid;
  if (now !== uid)
    throw new StepError(`${path} still belongs to uid ${now} after chown to ${uid}`, {
      condition: 'TapDevice',
      reason: 'NotOwned',
    });
}
