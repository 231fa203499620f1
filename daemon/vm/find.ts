import { ageOf } from '../lib/age.js';
import type { Vm, Vms } from '../core/observation.js';
import { dockersDevices } from './dockers-line.js';
import { identityOf } from './identity.js';
import type { Process } from './processes.js';
import { virtualVms } from './virtual.js';

/** `ps` joins the words of a command line by blanks: what is known of their borders is argv[0]'s end and `-`. */
const hyperkit = /^(.*?(?:com\.docker\.hyperkit|hyperkit)(?:\.original)?) (-.*)$/s;

/**
 * Whether this is hyperkit's own argv[0]: the bare name, or an absolute path that may hold blanks. A shell that runs the
 * shim (`/bin/sh /Applications/…`, what the kernel makes of `#!`) is not yet a VM, and neither is a program that reads it.
 */
const isHyperkit = (path: string): boolean =>
  path.startsWith('/')
    ? /\/(?:com\.docker\.hyperkit|hyperkit)(?:\.original)?$/.test(path) && !/ [-/]/.test(path)
    : !/[\s/]/.test(path);

/** A device that is the NIC on the tap. With its MAC, where one is given, as the first group. */
const nicOn = (device: string): RegExp =>
  new RegExp(`^[0-9:]+,virtio-tap,${device}(?:,mac=([0-9a-f:]+))?(?:[,\\s]|$)`, 'i');

interface Link {
  readonly device: string;
  readonly mac: string;
}

/** Every VM of Docker's that runs by HyperKit, of any user. */
function hyperkitVms(processes: readonly Process[], { device, mac }: Link): readonly Vm[] {
  const nic = nicOn(device);
  return processes.flatMap((process): Vm[] => {
    const match = hyperkit.exec(process.cmd ?? '');
    const [, path = '', args = ''] = match ?? [];
    const identity = identityOf(process);
    const devices = isHyperkit(path) ? dockersDevices(args) : null;
    if (identity === null || devices === null) return [];
    const tap = devices.map((one) => nic.exec(one)).find((match) => match !== null) ?? null;
    return [
      {
        ...identity,
        startedWithTap: tap !== null,
        tapIsForeign: tap !== null && tap[1]?.toLowerCase() !== mac,
        executable: path.startsWith('/') ? path : null,
      },
    ];
  });
}

/** The newest first; what the clock says to be of the future is the oldest. */
function newestFirst(vms: readonly Vm[], now: number): readonly Vm[] {
  const isOfOldClock = ({ startedAt }: Vm): number =>
    ageOf(Date.parse(startedAt), now) === Infinity ? 1 : 0;
  return vms.toSorted((a, b) => isOfOldClock(a) - isOfOldClock(b) || b.startedAt.localeCompare(a.startedAt));
}

/**
 * The VM that counts: the newest of whoever holds the tap by one of his, or else the newest of the user in front. The tap
 * was a user's who was in front when his VM opened it, so he goes on to count when somebody else comes to the front; a
 * VM without the tap that is anybody else's does not. Docker leaves a hyperkit behind when it is quit while it starts
 * (docker/for-mac #5231): the engine is the newest's, whichever has the tap. Of two that started in the same second that
 * one counts which has no tap, so that nothing is set up in a VM that may be the wrong one. Processes merely named
 * after it (a shell that runs the shim, another VM tool's hyperkit) are none. `uid`: of the user in front; `now`: in ms
 * since the epoch; `hyperkitOnly`: whether VMs that run by something else are left out.
 */
export function pickVms(
  processes: readonly Process[],
  options: Link & { uid: number | null; holder: number | null; now: number; hyperkitOnly?: boolean },
): Vms {
  const { hyperkitOnly = false, now } = options;
  const virtual = hyperkitOnly ? [] : virtualVms(processes);
  const found = newestFirst([...hyperkitVms(processes, options), ...virtual], now);
  const holder = found.find(({ pid }) => pid === options.holder);
  const ofOne = found.filter(({ uid }) => uid === (holder?.uid ?? options.uid));
  const newest = ofOne.filter(({ startedAt }) => startedAt === ofOne[0]?.startedAt);
  const vm = newest.find((one) => one !== holder) ?? newest[0] ?? null;
  return { vm, others: found.filter((other) => other !== vm) };
}
