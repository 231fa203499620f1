import { type CommandResult, run, type Run } from './command.js';

/** Milliseconds in which one answer serves all who ask: those of one look. */
const validity = 1000;

/** Runs commands that only tell something; who asks for the same within a second has the same answer. */
export function sharedRun(command: Run = run, now: () => number = () => performance.now()): Run {
  const answers = new Map<string, { readonly at: number; readonly result: Promise<CommandResult> }>();
  return (file, args, options) => {
    const key = [file, ...args].join('\0');
    const last = answers.get(key);
    if (last && now() - last.at < validity) return last.result;
    const result = command(file, args, options);
    answers.set(key, { at: now(), result });
    return result;
  };
}
