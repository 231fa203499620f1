import type { Look } from '../../../daemon/docker-app/outside.js';
import { lookOutside } from '../../../daemon/docker-app/outside-look.js';

/** Looks at places that are known to answer, without a child. */
export const lookDirectly: Look = (_place, paths) => Promise.resolve(paths.map(lookOutside));
