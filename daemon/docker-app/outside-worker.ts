/**
 * The child that looks at places which may hang, one after the other: only this process waits then. Started by
 * `outsideBy`; it ends with its parent.
 */
import '../lib/no-inspector.js';
import { lookOutside } from './outside-look.js';

process.on('message', (paths: readonly string[]) => process.send?.(paths.map(lookOutside)));
process.on('disconnect', () => {
  process.exit();
});
