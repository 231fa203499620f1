/** How Docker is quit and opened again for its user: gracefully, with time-outs, and never by ending its VM. */
import { run, type Run } from '../lib/command.js';
import { openDocker, quitDocker, restartDocker } from '../mac/docker-gui.js';
import { notify } from '../mac/notify.js';
import type { MemoryKeeper } from './memory.js';
import type { ConsoleUser, DockerProcess } from '../core/observation.js';
import type { RestartMemory } from '../core/docker/restart-memory.js';
import { type OpenDocker, type QuitDocker, StepError, type TellUser } from '../core/steps.js';
import { isAlive } from '../vm/alive.js';
import { listProcesses, pickDocker } from '../vm/processes.js';

/** Milliseconds for Docker to end its VM and itself. */
const quitting = 60_000;
const poll = 250;
const maxAttempts = 8;

/** AppleScript’s own words for an app that ended before it could reply (-609), or had ended already (-600). */
const ending = /\(-6(?:09|00)\)/;

/**
 * AppleScript’s own words for what another way may still help against: automation is not permitted (-1743), Docker did
 * not reply in time (-1712), osascript itself hung. A person who cancels (-128) is no such thing.
 */
const unheard = /-1743|-1712|took longer than/;

async function areGone(pids: readonly number[], milliseconds: number): Promise<boolean> {
  for (const end = performance.now() + milliseconds; pids.some(isAlive);) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, poll));
  }
  return true;
}

/** One SIGTERM to Docker’s own process, if that is still what has its pid. */
async function terminate(user: ConsoleUser, gui: DockerProcess): Promise<void> {
  const processes = await listProcesses();
  const found = processes.known
    ? pickDocker(processes.value, user).find(({ pid }) => pid === gui.pid)
    : undefined;
  if (found?.gui === true && found.app === gui.app && found.startedAt === gui.startedAt)
    process.kill(gui.pid, 'SIGTERM');
}

/**
 * Has Docker restart itself, or quits it, having first written down that it is tried and that Docker has to be opened
 * again. Rejects when Docker stays: then it is not tried another time.
 */
export async function quitForRestart(
  step: QuitDocker,
  memory: Pick<MemoryKeeper, 'now' | 'record'>,
  command: Run = run,
  quitTimeout = quitting,
): Promise<void> {
  const { vm, bundle, user, gui, app } = step;
  const remember = (change: Partial<RestartMemory>): Promise<void> =>
    memory.record({ restart: { ...memory.now().restart, ...change } });
  const owed = (): RestartMemory['reopen'] => ({ app, uid: user.uid, gui: gui.pid, at: Date.now() });
  const earlier = memory.now().restart.attempts.slice(1 - maxAttempts);
  await remember({
    attempts: [...earlier, { vm: vm.id, bundle, failed: null }],
    reopen: owed(),
  });
  // What becomes of the VM decides, not the answer: a restart that took too long has ended it all the same.
  const restarted = await restartDocker(user, app, command);
  if (await areGone([vm.pid], restarted.done ? quitTimeout : 0)) {
    // A restart that is done with its app still there owes nothing; another may end that yet, or install an update.
    await remember({ reopen: restarted.done && isAlive(gui.pid) ? null : owed() });
    return;
  }
  const asked = await quitDocker(user, command);
  const pids = [vm.pid, gui.pid];
  const isHeard = asked.done || ending.test(asked.why);
  let isGone = isHeard && (await areGone(pids, quitTimeout));
  if (!isGone && (isHeard || unheard.test(asked.why))) {
    await terminate(user, gui);
    isGone = await areGone(pids, quitTimeout);
  }
  if (isGone) {
    // From now on: the Mac may have slept meanwhile.
    await remember({ reopen: owed() });
    return;
  }
  // Where only the VM has not ended yet, Docker itself is gone, and opened again after it.
  const isLeft = isAlive(gui.pid);
  const what = isLeft ? 'Docker did not quit' : 'Docker quit, but its VM has not ended';
  const failed = asked.done ? what : `${what}: ${asked.why}`;
  await remember({
    attempts: [...earlier, { vm: vm.id, bundle, failed }],
    reopen: isLeft ? null : owed(),
  });
  throw new StepError(failed, { reason: 'DockerStays' });
}

/** Opens the Docker that was quit. Rejects with macOS’s own words. */
export async function openAgain(
  { user, app }: OpenDocker,
  memory: Pick<MemoryKeeper, 'now' | 'record'>,
): Promise<void> {
  const opened = await openDocker(user, app);
  if (!opened.done)
    throw new StepError(`${app} could not be opened: ${opened.why}`, { reason: 'DockerClosed' });
  await memory.record({ restart: { ...memory.now().restart, reopen: null } });
}

/** Says it once, whether or not the user has notifications on. */
export async function tellUser(
  { user, vm, text }: TellUser,
  memory: Pick<MemoryKeeper, 'now' | 'record'>,
): Promise<void> {
  await memory.record({ restart: { ...memory.now().restart, told: vm } });
  await notify(user, 'tuntapd', text);
}
