import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, parse } from 'plist';
import type { Outcome } from './errno.js';
import { readJob } from './job.js';
import { listDict, listTable, printDisabled, printService } from './print.js';
import { createService, type Service } from './service.js';

export interface LaunchdOptions {
  /** Where the daemons' plists are. */
  readonly daemons: string;
  /** The file that remembers `enable` and `disable` across reboots. */
  readonly disabledFile: string;
  /** The macOS version: texts differ before 11 and from 13 on. */
  readonly macos: string;
  readonly log: (line: string) => void;
  readonly userOf: (name: string) => { uid: number; gid: number } | null;
  /** What every job finds in its environment besides launchd's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The uid that is logged in at the screen, if any: `gui/UID` exists for him alone. */
  readonly guiUser: () => number | null;
}

interface Asked {
  readonly uid: number;
}
interface Target extends Asked {
  /** `system/LABEL`, `gui/UID/LABEL`, … or, for bootout, also the path of a plist after `system`. */
  readonly target: string;
  readonly path?: string;
}

export interface Launchd {
  readonly handlers: Readonly<Record<string, (payload: never) => Outcome | Promise<Outcome>>>;
  /** Loads every plist that it accepts, as at boot. */
  readonly boot: () => void;
  /** Ends every job, as at shutdown; resolves when all are gone. */
  readonly shutdown: () => Promise<void>;
  /** The processes of the jobs. */
  readonly pids: () => number[];
}

/** How long `bootout` itself waits before it says "in progress"; the job goes on ending (seen on 10.15). */
const bootoutPatience = 1000;

const ok: Outcome = { status: 0 };
const ioError: Outcome = { status: 5 };

/** launchd's system domain. */
export function createLaunchd(options: LaunchdOptions): Launchd {
  const services = new Map<string, Service>();
  const draining = new Map<string, Promise<void>>();
  const major = Number.parseInt(options.macos, 10);
  const modern = major >= 11;

  const database = (): Record<string, boolean> => {
    try {
      return parse(readFileSync(options.disabledFile, 'utf8')) as Record<string, boolean>;
    } catch {
      return {};
    }
  };
  const remember = (label: string, disabled: boolean): void => {
    mkdirSync(dirname(options.disabledFile), { recursive: true });
    const fresh = `${options.disabledFile}.new`;
    writeFileSync(fresh, build({ ...database(), [label]: disabled }), { mode: 0o600 });
    renameSync(fresh, options.disabledFile);
  };

  const load = (path: string): Outcome => {
    const reading = readJob(path);
    if ('refused' in reading) {
      options.log(`(system) <Warning>: ${path}: ${reading.refused}`);
      return reading.refused.startsWith('Path had')
        ? { status: 5, detail: `${path}: ${reading.refused}` }
        : ioError;
    }
    const { job } = reading;
    if (draining.has(job.label)) return major >= 13 ? { status: 37 } : ioError;
    if (services.has(job.label)) return ioError;
    if (database()[job.label] ?? job.disabled) return { status: 119, detail: `${path}: Service is disabled` };
    const service = createService(job, {
      log: (line) => {
        options.log(`(system/${job.label}) <Notice>: ${line}`);
      },
      loaded: (label) => services.has(label),
      userOf: options.userOf,
      environment: options.environment ?? {},
    });
    services.set(job.label, service);
    service.load();
    return ok;
  };

  /** The label of a target in the system domain, or why there is none. */
  const labelOf = (target: string): { label: string } | Outcome => {
    const [domain, ...rest] = target.split('/');
    if (domain === 'system') return { label: rest.join('/') };
    if (domain === 'gui' || domain === 'user') {
      const [uid, ...label] = rest;
      if (domain === 'gui' && Number(uid) !== options.guiUser()) return { status: 125 };
      return {
        status: 113,
        text: `Could not find service "${label.join('/')}" in domain for user ${domain}: ${uid ?? ''}`,
      };
    }
    return { status: 64, text: 'Unrecognized target specifier.' };
  };

  const missing = (label: string): Outcome => ({
    status: 113,
    text: `Could not find service "${label}" in domain for system`,
  });

  const find = (target: string): { service: Service } | Outcome => {
    const found = labelOf(target);
    if ('status' in found) return found;
    const service = services.get(found.label);
    return service ? { service } : missing(found.label);
  };

  const drain = (label: string, service: Service): Promise<void> => {
    const going =
      draining.get(label) ??
      service.stop().then(() => {
        services.delete(label);
        draining.delete(label);
      });
    draining.set(label, going);
    return going;
  };

  const handlers = {
    'launchd.bootstrap': ({ uid, target, path }: Target): Outcome => {
      if (target !== 'system') {
        const found = labelOf(target);
        return 'status' in found && found.status === 64 ? found : { status: 125 };
      }
      if (uid !== 0) return { status: 5, text: 'Try re-running the command as root for richer errors.' };
      return path === undefined ? ioError : load(path);
    },
    'launchd.bootout': async ({ uid, target, path }: Target): Promise<Outcome> => {
      let label: string;
      if (path === undefined) {
        const found = labelOf(target);
        if ('status' in found) return found.status === 113 ? { status: 3 } : found;
        label = found.label;
      } else {
        const reading = readJob(path);
        if ('refused' in reading) return ioError;
        label = reading.job.label;
      }
      const service = services.get(label);
      // By path an absent job is an input/output error, by label it is no such process (nix-installer 1148).
      if (!service) return { status: path === undefined ? 3 : 5 };
      if (uid !== 0) return { status: 1 };
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(resolve, bootoutPatience, 'late');
      });
      const which = await Promise.race([drain(label, service), late]);
      clearTimeout(timer);
      return which === 'late' ? { status: 36 } : ok;
    },
    'launchd.kickstart': async ({ uid, target, kill }: Target & { kill: boolean }): Promise<Outcome> => {
      const found = find(target);
      if ('status' in found) return found;
      if (uid !== 0) return { status: 1 };
      if (draining.has(found.service.job.label)) return { status: 37 };
      const pid = await found.service.kickstart(kill);
      return pid === null ? ok : { status: 0, pid };
    },
    'launchd.print': ({ target }: Target): Outcome => {
      const found = find(target);
      return 'status' in found ? found : { status: 0, text: printService(found.service, modern) };
    },
    'launchd.list': ({ uid, label }: Asked & { label?: string }): Outcome => {
      // Without root, launchctl list shows the user's own domain, and there is nothing in it here.
      const visible = uid === 0 ? [...services.values()] : [];
      if (label === undefined) return { status: 0, text: listTable(visible) };
      const service = visible.find(({ job }) => job.label === label);
      return service
        ? { status: 0, text: listDict(service) }
        : { status: 113, text: `Could not find service "${label}" in domain for port` };
    },
    'launchd.enable': ({ uid, target, disabled }: Target & { disabled: boolean }): Outcome => {
      const found = labelOf(target);
      if ('status' in found) return found.status === 113 ? ok : found;
      if (uid !== 0) return { status: 1 };
      remember(found.label, disabled);
      return ok;
    },
    'launchd.print-disabled': ({ target }: Target): Outcome => ({
      status: 0,
      text: printDisabled(target === 'system' ? database() : {}, major >= 13),
    }),
  };

  return {
    handlers,
    boot: () => {
      for (const name of readdirSync(options.daemons).sort())
        if (name.endsWith('.plist')) load(join(options.daemons, name));
    },
    shutdown: async () => {
      await Promise.all([...services].map(([label, service]) => drain(label, service)));
    },
    pids: () => [...services.values()].map((service) => service.pid()).filter((pid) => pid !== null),
  };
}
