import { run, type Run } from '../command.js';
import type { ConsoleUser } from '../observation.js';
import { asUser, type Outcome } from './as-user.js';

/**
 * Asks Docker to quit, as its menu does, and returns when it has answered (60 s at the most). A quit also installs an
 * update that Docker has staged.
 */
export const quitDocker = (user: ConsoleUser, command: Run = run): Promise<Outcome> =>
  asUser(user, ['/usr/bin/osascript', '-e', 'quit app "Docker"'], { timeout: 60_000 }, command);

/** Opens a Docker.app, by its path, without bringing it to the front; returns when it is launched, long before its VM runs. */
export const openDocker = (user: ConsoleUser, app: string, command: Run = run): Promise<Outcome> =>
  asUser(user, ['/usr/bin/open', '--background', '-a', app], { timeout: 30_000 }, command);
