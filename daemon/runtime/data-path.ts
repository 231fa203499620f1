/**
 * Whether what the tables promise is so: a TCP connection through the link to a container, or, without one, to the VM.
 * It costs neither a request to the engine nor a container. Idle, it is made once a minute while containers run, and
 * not at all without: then nobody waits for the way, and the VM may sleep.
 */
import { pickContainers, type ProbeTarget } from '../core/probe.js';
import { type DataPath, unchecked } from '../core/observation.js';

const idle = 60_000;
/** Before a silence is believed it is heard twice. */
const again = 2000;
const firstPause = 30_000;
const longestPause = 3_600_000;
/** Changes that follow each other within so many ms are one check, or two. */
const burst = 1000;

export interface DataPathWatch {
  /** What is to be checked from now on; null: nothing. */
  readonly follow: (target: ProbeTarget | null) => void;
  readonly snapshot: () => DataPath;
  /** The Mac woke: what is silent is checked now, and repaired as if for the first time. */
  readonly lookAnew: () => void;
  readonly stop: () => void;
}

const isSameButContainers = (one: ProbeTarget, other: ProbeTarget): boolean =>
  JSON.stringify({ ...one, listed: 0 }) === JSON.stringify({ ...other, listed: 0 });

/**
 * Checks the way at once after each change of it, and then once a minute while there are containers. An address that
 * answered and has fallen silent asks for a repair (`generation` grows) at once, and again after ever longer pauses;
 * where none ever answered, once a session.
 */
export function watchDataPath(parts: {
  probe: (address: string, from: string) => Promise<{ alive: boolean; said: string }>;
  /** Addresses of the running containers. Asked only when the engine was just asked for its networks anyway. */
  containers: () => Promise<readonly string[]>;
  onChange: () => void;
  /** `generation` is about to grow. */
  onRepair: () => void;
  now: () => number;
  setTimer: (callback: () => void, milliseconds: number) => () => void;
}): DataPathWatch {
  let target: ProbeTarget | null = null;
  let containers: readonly string[] = [];
  let listing = '';
  let snapshot = unchecked;
  const answered = new Set<string>();
  /** Whether the VM's side was made anew in this session for one who may never answer: a firewall of its own. */
  let isDoubted = false;
  let misses = 0;
  let lastCheck = -Infinity;
  let lastRepair = -Infinity;
  let pause = 0;
  /** Until the containers are asked for again after the engine did not tell. */
  let listPause = 0;
  /** The way that is being checked, and whether its containers have become others meanwhile. */
  let underWay: { target: ProbeTarget; isOutdated: boolean } | null = null;
  let stopped = false;
  let cancel = (): void => undefined;

  const arm = (milliseconds: number): void => {
    cancel();
    cancel = parts.setTimer(() => void check(), milliseconds);
  };
  const armSoon = (): void => {
    arm(Math.max(0, lastCheck + burst - parts.now()));
  };
  const become = (next: Partial<DataPath>): void => {
    const before = snapshot;
    snapshot = { ...snapshot, ...next };
    if (snapshot.state !== before.state || snapshot.generation !== before.generation) parts.onChange();
  };
  /** Whether a repair is due now; the next one is due later, until the way has been alive for long. */
  const repair = (): boolean => {
    if (parts.now() - lastRepair < pause) return false;
    pause = Math.min(longestPause, Math.max(firstPause, pause * 2));
    lastRepair = parts.now();
    parts.onRepair();
    return true;
  };

  function hear(
    tried: readonly { address: string; alive: boolean; said: string; took: number }[],
    vmAddress: string,
  ): void {
    const containersTried = tried.filter(({ address }) => address !== vmAddress);
    const some = containersTried.length > 0;
    const telling = some ? containersTried : tried;
    const heard = telling.filter(({ alive }) => alive).map(({ address }) => address);
    const isMissed = ({ address, alive }: { address: string; alive: boolean }): boolean =>
      !alive && answered.has(address);
    // The VM's own silence tells nothing beside a container that answers, and that it is elsewhere where none does.
    const isLost = (heard.length === 0 ? tried : telling).some(isMissed);
    for (const { address, alive } of tried) if (alive) answered.add(address);
    if (heard.length > 0 && !isLost) {
      misses = 0;
      if (parts.now() - lastRepair > longestPause) pause = 0;
      const roundTrip = Math.min(...telling.flatMap(({ alive, took }) => (alive ? took : [])));
      become({ state: 'alive', detail: `${heard.join(', ')} answered`, roundTrip });
      if (some) arm(idle);
      return;
    }
    misses += 1;
    if (misses === 1) {
      arm(again);
      return;
    }
    const detail = tried.map(({ address, said }) => `${address}: ${said}`).join(', ');
    const isRepaired = (isLost || !isDoubted) && repair();
    isDoubted ||= isRepaired;
    become({ state: 'silent', detail, generation: snapshot.generation + (isRepaired ? 1 : 0) });
    arm(idle);
  }

  async function check(): Promise<void> {
    const checked = target;
    if (!checked) return;
    const own = { target: checked, isOutdated: false };
    const isStill = (): boolean => underWay === own;
    underWay = own;
    lastCheck = parts.now();
    const wanted = `${checked.session} ${checked.listed}`;
    if (listing !== wanted) {
      const running = await parts.containers().catch(() => null);
      // The next one that gets an address may be another, with a firewall of its own.
      for (const address of running ? answered : [])
        if (address !== checked.vmAddress && !running?.includes(address)) answered.delete(address);
      containers = running ?? [];
      if (running) listing = wanted;
      listPause = running ? 0 : Math.min(longestPause, Math.max(firstPause, listPause * 2));
    }
    const tried = await Promise.all(
      [checked.vmAddress, ...pickContainers(containers, checked.subnets)].map(async (address) => {
        const began = parts.now();
        const result = await parts.probe(address, checked.macAddress);
        return { address, ...result, took: parts.now() - began };
      }),
    );
    // What was heard on a way that is no more is not told of the one that is.
    if (!isStill()) return;
    underWay = null;
    hear(tried, checked.vmAddress);
    if (own.isOutdated && misses > 0) arm(again);
    else if (own.isOutdated) armSoon();
    else if (misses === 0 && listPause > 0) arm(listPause);
  }

  return {
    follow: (next) => {
      if (stopped || JSON.stringify(next) === JSON.stringify(target)) return;
      target = next;
      if (next && underWay && isSameButContainers(next, underWay.target)) {
        // A silence takes seconds, in which containers come and go: it is heard out.
        underWay.isOutdated = true;
        return;
      }
      underWay = null;
      if (next && next.session !== snapshot.session) {
        answered.clear();
        isDoubted = false;
        misses = 0;
        // A session begins with the VM's side made anew anyway.
        pause = 0;
        snapshot = { ...unchecked, session: next.session, generation: snapshot.generation };
      }
      if (next) armSoon();
      else cancel();
    },
    snapshot: () => snapshot,
    lookAnew: () => {
      pause = 0;
      isDoubted = false;
      if (target && !underWay && snapshot.state === 'silent') armSoon();
    },
    stop: () => {
      stopped = true;
      target = null;
      underWay = null;
      cancel();
    },
  };
}
