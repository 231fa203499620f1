import { run, type Run } from '../lib/command.js';
import type { ConsoleUser } from '../core/observation.js';
import { asUser, type Outcome } from './as-user.js';

/**
 * Asks Docker to quit, as its menu does, and returns when it has answered (60 s at the most). A quit also installs an
 * update that Docker has staged.
 */
export const quitDocker = (user: ConsoleUser, command: Run = run): Promise<Outcome> =>
  asUser(user, ['/usr/bin/osascript', '-e', 'quit app "Docker"'], { timeout: 60_000 }, command);

/**
 * Restarts Docker by its own command, `docker desktop restart` (Docker Desktop 4.37 and newer), which needs no permission
 * of macOS, and returns when it has answered (60 s at the most; the new VM may take longer). An older `docker` knows
 * no such command and ends with 1, as sudo does where there is none. It is the CLI of the Docker.app that this user
 * runs, as that user (docs/decisions/0006).
 */
export const restartDocker = (user: ConsoleUser, app: string, command: Run = run): Promise<Outcome> =>
  asUser(user, [`${app}/Contents/Resources/bin/docker`, 'desktop', 'restart'], { timeout: 60_000 }, command);

/** Opens a Docker.app, by its path, without bringing it to the front; returns when it is launched, long before its VM runs. */
export const openDocker = (user: ConsoleUser, app: string, command: Run = run): Promise<Outcome> =>
  asUser(user, ['/usr/bin/open', '--background', '-a', app], { timeout: 30_000 }, command);
