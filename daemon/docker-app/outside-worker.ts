/**
 * The child that looks at places which may hang, one after the other: only this process waits then. Started by
 * `outsideBy`, with the uid and gid of whom it is to become, if of anybody; it ends with its parent.
 */
import '../lib/no-inspector.js';
import { giveUpRoot } from '../lib/give-up-root.js';
import { lookOutside } from './outside-look.js';

const [uid, gid] = process.argv.slice(2).map(Number);
if (uid !== undefined && gid !== undefined) giveUpRoot(uid, gid);

process.on('message', (paths: readonly string[]) => process.send?.(paths.map(lookOutside)));
process.on('disconnect', () => {
  process.exit();
});
