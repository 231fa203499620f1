import { readFileSync, writeFileSync } from 'node:fs';

/*
 * Which bootstrap namespace a process lives in. `launchctl asuser` and a login put a process, and with it all its
 * children, into a user's; `sudo` does not. Linux has no such thing, but children inherit the OOM score, which means
 * nothing else in the lab: a process of a user's session carries his uid there.
 */

const scoreOf = (pid: number | 'self'): string => `/proc/${pid}/oom_score_adj`;

/** The uid whose GUI session the process lives in, or null for the system's. */
export function sessionOf(pid: number | 'self' = 'self'): number | null {
  const score = Number(readFileSync(scoreOf(pid), 'utf8'));
  return score > 0 ? score : null;
}

/** Puts this process and its future children into the session of `uid`. */
export function enterSession(uid: number): void {
  writeFileSync(scoreOf('self'), String(uid));
}
