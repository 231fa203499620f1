import { setTimeout as pause } from 'node:timers/promises';
import type { Status } from '../../daemon/api/messages.js';
import { watchStatus } from '../client.js';
import { CliError, exit } from '../exit.js';
import type { Io } from '../io.js';
import { statusLines } from '../status-view.js';
import { clearScreen, printLine, redraw, safeJson } from '../terminal.js';
import { viewOn } from '../view.js';

/** Milliseconds: how long ago something was grows without the daemon's doing. */
const agesChange = 5000;
const again = 1000;
/** Milliseconds: a daemon that works answers at once, one that has just started after its first look. */
const firstAnswer = 2000;

/**
 * `tuntapctl status --watch`: the status anew whenever it changes, until interrupted; as JSON one a line. Throws
 * CliError when no daemon runs at first; one that ends later is waited for.
 */
export async function watch(io: Io, options: { json?: boolean; verbose?: boolean }): Promise<number> {
  const isScreen = io.stdout.isTTY === true && options.json !== true;
  const view = await viewOn(io, options);
  const told: { latest: Status | null; trouble: string | null } = { latest: null, trouble: null };

  function show(): void {
    const { latest, trouble } = told;
    if (options.json === true) {
      if (latest && trouble === null) printLine(io.stdout, safeJson(latest));
      return;
    }
    const lines = trouble === null && latest ? statusLines(latest, view()) : [trouble ?? ''];
    if (isScreen) redraw(io.stdout, lines);
    else printLine(io.stdout, `${lines.join('\n')}\n`);
  }

  const signal = io.untilInterrupted();
  const isOver = (): boolean => signal.aborted;
  if (isScreen) clearScreen(io.stdout);
  const timer = isScreen ? setInterval(show, agesChange) : undefined;
  const late = setTimeout(() => {
    if (told.latest) return;
    told.trouble = 'tuntapd has not answered yet; waiting for it';
    if (isScreen) show();
    else printLine(io.stderr, told.trouble);
  }, firstAnswer);
  try {
    while (!isOver()) {
      try {
        await watchStatus(
          io.socketPath,
          (status) => {
            Object.assign(told, { latest: status, trouble: null });
            show();
          },
          signal,
        );
        told.trouble = 'tuntapd has ended; waiting for the next one';
      } catch (error) {
        if (!told.latest || !(error instanceof CliError)) throw error;
        told.trouble = error.message;
      }
      if (isOver()) break;
      show();
      await pause(again, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    clearInterval(timer);
    clearTimeout(late);
  }
  return exit.healthy;
}
