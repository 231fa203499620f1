import { lstatSync, readFileSync } from 'node:fs';
import { parse } from 'plist';

/** `KeepAlive`: always, never, or the dictionary form (its conditions are ORed, launchd.plist(5)). */
export type KeepAlive =
  | boolean
  | {
      readonly SuccessfulExit?: boolean;
      readonly Crashed?: boolean;
      readonly PathState?: Readonly<Record<string, boolean>>;
      readonly OtherJobEnabled?: Readonly<Record<string, boolean>>;
    };

export interface Job {
  readonly label: string;
  /** The plist it came from. */
  readonly path: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly runAtLoad: boolean;
  readonly keepAlive: KeepAlive;
  /** Seconds. */
  readonly throttle: number;
  /** Seconds from SIGTERM to SIGKILL; 0 is never. */
  readonly exitTimeOut: number;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | null;
  readonly umask: number | null;
  readonly userName: string | null;
  readonly abandonProcessGroup: boolean;
  readonly disabled: boolean;
}

export type Reading = { readonly job: Job } | { readonly refused: string };

const ownership = 'Path had bad ownership/permissions';
const invalid = 'Invalid property list';

type Dict = Record<string, unknown>;
const isDict = (value: unknown): value is Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Keys whose type launchd checks; every other key is accepted as it is. */
const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  Label: (value) => typeof value === 'string' && value !== '',
  Program: (value) => typeof value === 'string',
  ProgramArguments: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string'),
  RunAtLoad: (value) => typeof value === 'boolean',
  KeepAlive: (value) => typeof value === 'boolean' || isDict(value),
  ThrottleInterval: (value) => Number.isInteger(value) && (value as number) >= 0,
  ExitTimeOut: (value) => Number.isInteger(value) && (value as number) >= 0,
  StandardOutPath: (value) => typeof value === 'string',
  StandardErrorPath: (value) => typeof value === 'string',
  EnvironmentVariables: (value) =>
    isDict(value) && Object.values(value).every((one) => typeof one === 'string'),
  WorkingDirectory: (value) => typeof value === 'string',
  Umask: (value) => Number.isInteger(value) || (typeof value === 'string' && /^[0-7]{1,4}$/.test(value)),
  UserName: (value) => typeof value === 'string',
  AbandonProcessGroup: (value) => typeof value === 'boolean',
  Disabled: (value) => typeof value === 'boolean',
  SoftResourceLimits: isDict,
  HardResourceLimits: isDict,
};

/** Understands a plist's text; says why not, in launchd's words, when it is none that launchd would take. */
export function jobFrom(text: string, path: string): Reading {
  if (!/<plist[\s>]/.test(text)) return { refused: invalid };
  // launchd takes <true/> only; plutil -lint passes both (openradar-mirror 20918).
  if (/<(true|false)>\s*<\/\1>/.test(text)) return { refused: invalid };
  let dict: unknown;
  try {
    dict = parse(text);
  } catch {
    return { refused: invalid };
  }
  if (!isDict(dict)) return { refused: invalid };
  for (const [key, fits] of Object.entries(types))
    if (key in dict && !fits(dict[key])) return { refused: `${invalid}: ${key}` };
  const args = dict['ProgramArguments'] as string[] | undefined;
  const program = (dict['Program'] as string | undefined) ?? args?.[0];
  if (typeof dict['Label'] !== 'string' || program === undefined) return { refused: invalid };
  const umask = dict['Umask'] as number | string | undefined;
  return {
    job: {
      label: dict['Label'],
      path,
      program,
      args: args ?? [program],
      runAtLoad: dict['RunAtLoad'] === true,
      keepAlive: (dict['KeepAlive'] as KeepAlive | undefined) ?? false,
      throttle: (dict['ThrottleInterval'] as number | undefined) ?? 10,
      // The manual says "system-defined"; `launchctl print` shows 5 from 10.14 to 15.
      exitTimeOut: (dict['ExitTimeOut'] as number | undefined) ?? 5,
      stdoutPath: (dict['StandardOutPath'] as string | undefined) ?? null,
      stderrPath: (dict['StandardErrorPath'] as string | undefined) ?? null,
      environment: (dict['EnvironmentVariables'] as Record<string, string> | undefined) ?? {},
      workingDirectory: (dict['WorkingDirectory'] as string | undefined) ?? null,
      umask: typeof umask === 'string' ? Number.parseInt(umask, 8) : (umask ?? null),
      userName: (dict['UserName'] as string | undefined) ?? null,
      abandonProcessGroup: dict['AbandonProcessGroup'] === true,
      disabled: dict['Disabled'] === true,
    },
  };
}

/**
 * Reads a plist as launchd does: a regular file named *.plist, owned by root, writable by nobody else
 * (launchctl.c path_goodness_check).
 */
export function readJob(path: string): Reading {
  let text: string;
  try {
    const file = lstatSync(path);
    if (!file.isFile() || !path.endsWith('.plist') || file.uid !== 0 || (file.mode & 0o022) !== 0)
      return { refused: ownership };
    text = readFileSync(path, 'utf8');
  } catch {
    return { refused: 'No such file or directory' };
  }
  return jobFrom(text, path);
}
