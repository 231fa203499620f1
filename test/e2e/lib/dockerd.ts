/** The lab VM's dockerd, seen and told from outside of its API. */
import { readFileSync } from 'node:fs';
import type { Mac } from '../../lab/lab.js';
import { dockerOf, engineAnswers, vmConsole } from './vocabulary.js';
import { until } from '../../lib/until.js';

/** How often dockerd has said so by now. */
export const saidSoFar = (mac: Mac, what: RegExp): number =>
  [...readFileSync(mac.path(vmConsole), 'utf8').matchAll(what)].length;

/** For `inVm`: what goes on after the container that began it, and its terminal, are gone. */
export const later = (script: string): string =>
  `trap '' HUP; echo 0 >/sys/fs/cgroup/cgroup.procs; setsid sh -c '${script}' </dev/null >/dev/null 2>&1 &`;

/**
 * Has the VM's dockerd end some seconds from now; its init starts it again. `begun` runs in the VM before, `between` once
 * dockerd is gone, and holds no single quote.
 */
export async function endDockerd(mac: Mac, { begun = ':', between = ':' } = {}): Promise<void> {
  // One that is still starting would be taken for the one that is to end.
  await engineAnswers(mac);
  const wait = 'while [ -d /proc/$pid ]; do sleep 0.1; done';
  await dockerOf(mac)
    .inVm(`${begun}\n${later(`sleep 5; pid=$(cat /run/docker.pid); kill $pid; ${wait}; ${between}`)}`)
    // On a busy machine dockerd goes before it has told of the container that began it.
    .catch(() => undefined);
}

/** Ends the VM's dockerd likewise, and resolves when the next one answers. */
export async function restartDockerd(mac: Mac, within: Parameters<typeof endDockerd>[1] = {}): Promise<void> {
  await engineAnswers(mac);
  const starts = (): number => saidSoFar(mac, /Daemon has completed initialization/g);
  const before = starts();
  await endDockerd(mac, within);
  await until('dockerd has started again', 300, () => Promise.resolve(starts() > before));
}

/** Has dockerd read these settings, as a person does who edits them in Docker’s own window. */
export async function reload(mac: Mac, settings: object): Promise<void> {
  const reloads = (): number => saidSoFar(mac, /Reloaded configuration/g);
  const before = reloads();
  await dockerOf(mac).inVm(
    `mkdir -p /etc/docker; echo '${JSON.stringify(settings)}' >/etc/docker/daemon.json
${later('sleep 2; kill -HUP $(cat /run/docker.pid)')}`,
  );
  await until('dockerd has read its settings', 60, () => Promise.resolve(reloads() > before));
}
