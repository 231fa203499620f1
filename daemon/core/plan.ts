/**
 * All judgement of what has to be done, and why. Pure: what must happen after a reboot, a Docker update or a
 * restart of the VM is the same function of what is seen.
 */
import type { Config } from '../../config/schema.js';
import { judgeInstall, judgeRestore } from './docker/hyperkit.js';
import { type GuestReport, type Observation, valueOf } from './observation.js';
import { awaitsLaunch } from './docker/first-launch.js';
import { linkCollision } from './link/collision.js';
import type { LinkMemory } from './link/yield.js';
import { reopenSteps, type RestartMemory, restartSteps } from './docker/restart.js';
import { extraKey, judgeRoutes, overtaken, type RouteMemory } from './routes/verdicts.js';
import { isRowOf, stillOwned } from './routes/table.js';
import type { Step } from './steps.js';
import { attachedTap, heldTap, isUp, leftoverWithTap, linkState } from './link/tap.js';

export interface Memory extends RouteMemory {
  /** `restored`: down, and hyperkit as Docker shipped it. `removed`: leave without a trace (uninstall). */
  readonly wanted: 'up' | 'down' | 'restored' | 'removed';
  /** For a moment, and not for longer than this daemon lives, the link is to be down although it is wanted. */
  readonly lowered: boolean;
  /** What was last done in the VM; worth nothing for another session. */
  readonly guest: GuestReport | null;
  /** The session in which the VM was last given back as it was. */
  readonly released: string | null;
  /** Bundles, by their identity, of which a process has been seen. */
  readonly launched: readonly string[];
  /** Docker.apps in unusual places, found by their processes. */
  readonly apps: readonly string[];
  readonly restart: RestartMemory;
  /** How it stands with a link that others keep taking away. */
  readonly link: LinkMemory;
}

/**
 * Whose `/dev/tapN` should be: the owner's of the VM that holds it (another user in front cannot have it meanwhile, and
 * that VM may have to open it again), else the console user's, else root's. Null: it stays whose it is.
 */
export function tapOwner(observation: Observation): number | null {
  const { consoleUser, tapInterface, vm } = observation;
  if (!consoleUser.known || !tapInterface.known) return null;
  const holder = heldTap(observation)?.vm ?? leftoverWithTap(observation);
  if (holder) return holder.uid;
  if (tapInterface.value && !vm.known) return null;
  if (consoleUser.value) return consoleUser.value.uid;
  return tapInterface.value ? null : 0;
}

function device(observation: Observation): Step[] {
  const kext = valueOf(observation.kext);
  if (kext?.state === 'installed')
    return kext.bundles.map((bundle) => ({
      kind: 'load-kext',
      key: `load-kext ${bundle}`,
      why: 'the tap kext is installed but not loaded',
      bundle,
    }));
  const tap = valueOf(observation.tapDevice);
  const uid = tapOwner(observation);
  if (!tap || uid === null || tap.uid === uid) return [];
  const why =
    uid === 0
      ? `nobody is logged in, and ${tap.path} belongs to uid ${tap.uid}`
      : `${tap.path} belongs to uid ${tap.uid}; hyperkit opens it as uid ${uid}`;
  return [{ kind: 'own-tap-device', key: `own ${tap.path}`, why, path: tap.path, uid }];
}

const shim = (observation: Observation, launched: readonly string[]): Step[] => {
  const { withHyperkit = [], replacing = [] } = valueOf(observation.bundles) ?? {};
  return withHyperkit.flatMap((bundle): Step[] => {
    const { app, hyperkit } = bundle;
    if (replacing.some((other) => other.app === app) || awaitsLaunch(observation, launched, bundle))
      return [];
    const verdict = judgeInstall(bundle);
    return verdict.kind === 'change'
      ? [
          {
            kind: 'install-shim',
            key: `shim ${hyperkit} ${bundle.identity ?? ''}`,
            why: verdict.why,
            hyperkit,
          },
        ]
      : [];
  });
};

function link(config: Config, observation: Observation, memory: Memory): Step[] {
  const state = linkState(config, observation);
  if ((state.kind !== 'bare' && state.kind !== 'lost') || memory.link.held) return [];
  // While they are not known the pair could be anybody's.
  if (!observation.resolvers.known) return [];
  const { device: name, address, prefix, mtu } = config.tap;
  const isLost = state.kind === 'lost';
  const why = isLost
    ? `the table has lost the row of ${address}/${prefix} on ${name}`
    : `${name} of VM ${state.vm.id} lacks ${address}/${prefix}`;
  return [
    {
      kind: 'address-tap',
      key: `address ${name}`,
      why,
      interface: name,
      address,
      prefix,
      mtu,
      anew: isLost,
    },
  ];
}

function guest(config: Config, observation: Observation, memory: Memory): Step[] {
  const engine = valueOf(observation.engine);
  const { repairs } = observation.dataPath;
  // With our end addressed first, the routes are added while the VM is worked on.
  if (!engine || !isUp(config, observation)) return [];
  const prepared = memory.guest?.session === engine.session;
  if (prepared && memory.guest.repairs === repairs) return [];
  const { mac, address: far, peer, prefix, mtu } = config.tap;
  return [
    {
      kind: 'prepare-guest',
      key: `guest ${engine.session}`,
      why: prepared
        ? 'what answered through the link no longer does'
        : `the VM has not been set up in session ${engine.session}`,
      session: engine.session,
      engineVersion: engine.version,
      mac,
      address: peer,
      prefix,
      mtu,
      far,
      repairs,
    },
  ];
}

/** Deletions of our routes for whose subnet `whyNot` has a reason; null is none. */
function deletions(
  config: Config,
  observation: Observation,
  memory: Memory,
  whyNot: (subnet: string) => string | null,
): Step[] {
  const table = valueOf(observation.routes) ?? [];
  const ours = new Map(
    stillOwned(config, memory.ownedRoutes, table).map(({ subnet, gateway }) => [subnet, gateway]),
  );
  return table.flatMap((row): Step[] => {
    const gateway = ours.get(row.destination);
    if (gateway === undefined || !isRowOf(row.destination, row)) return [];
    // A route of ours that the kernel bound elsewhere (route.c, rule of the default route) sends containers' traffic
    // to the LAN, and one through another gateway is of an earlier configuration: they go, though their network stays.
    const leads = row.interface === config.tap.device && gateway === config.tap.peer;
    const why = leads ? whyNot(row.destination) : `it leads to ${gateway} on ${row.interface}`;
    if (why === null) return [];
    return [
      {
        kind: 'delete-route',
        key: `delete ${row.destination}`,
        why,
        subnet: row.destination,
        gateway,
        interface: row.interface,
      },
    ];
  });
}

/** Why routes over the link lead nowhere, and not for a moment only; null: they do, or soon will. */
function linkIsAway(config: Config, observation: Observation, memory: Memory): string | null {
  const { kind } = linkState(config, observation);
  if (kind === 'taken') return 'the link’s network is taken';
  return kind !== 'up' && memory.link.held?.state === 'yielded' ? 'the link is yielded' : null;
}

function routes(config: Config, observation: Observation, memory: Memory): Step[] {
  const away = linkIsAway(config, observation, memory);
  if (away !== null) return deletions(config, observation, memory, () => away);
  if (!attachedTap(observation)) {
    // Without the link what still stands of ours leads elsewhere.
    const isGone = observation.vm.known && observation.tapInterface.known;
    return isGone ? deletions(config, observation, memory, () => 'the link is gone') : [];
  }
  const engine = valueOf(observation.engine);
  if (!engine) {
    const claimed = overtaken(config, observation, memory);
    return deletions(config, observation, memory, (subnet) => claimed.get(subnet) ?? null);
  }
  const verdicts = judgeRoutes(config, observation, memory);
  const keep = new Set(
    verdicts.filter(({ state }) => state !== 'refused' && state !== 'foreign').map(({ subnet }) => subnet),
  );
  const reasons = new Map(verdicts.map(({ subnet, why }) => [subnet, why]));
  const removals = deletions(config, observation, memory, (subnet) =>
    keep.has(subnet)
      ? null
      : (reasons.get(subnet) ?? (engine.isProvisional ? null : 'no Docker network has this subnet')),
  );
  if (!isUp(config, observation)) return removals;
  return [
    ...removals,
    ...verdicts
      .filter(({ state }) => state === 'pending')
      .map(({ subnet, network }): Step => ({
        kind: 'add-route',
        key: `route ${subnet}`,
        why: network === extraKey ? `${extraKey} lists it` : `Docker network ${network} has this subnet`,
        subnet,
        gateway: config.tap.peer,
        interface: config.tap.device,
      })),
  ];
}

const isAddressHere = ({ tap }: Config, { tapInterface }: Observation): boolean =>
  valueOf(tapInterface)?.addresses.some(({ address }) => address === tap.address) ?? false;

/** Both ends of the link and the routes over it. `isSetUp`: whether the VM’s end may be there in this session. */
function dismantle(
  config: Config,
  observation: Observation,
  memory: Memory,
  { why, isSetUp }: { why: string; isSetUp: (session: string) => boolean },
): Step[] {
  const engine = valueOf(observation.engine);
  const vm = valueOf(observation.vm);
  const { device: name, address, mac, peer, prefix } = config.tap;
  const release: Step[] =
    engine && config.guest.manage && isSetUp(engine.session)
      ? [
          {
            kind: 'release-guest',
            key: `release ${engine.session}`,
            why,
            session: engine.session,
            attached: vm?.startedWithTap === true && !vm.tapIsForeign,
            mac,
            address: peer,
            prefix,
          },
        ]
      : [];
  return [
    ...deletions(config, observation, memory, () => why),
    ...release,
    ...(isAddressHere(config, observation)
      ? [{ kind: 'unaddress-tap' as const, key: `unaddress ${name}`, why, interface: name, address }]
      : []),
  ];
}

/** A VM that an earlier daemon set up is released too. */
const lower = (config: Config, observation: Observation, memory: Memory): Step[] =>
  dismantle(config, observation, memory, {
    why: 'the link is to be down',
    isSetUp: (session) => memory.released !== session,
  });

/**
 * Of a VM that was set up its end goes too: from there as well the network’s other owner is to be reached. With our
 * address on the tap it may be set up by an earlier daemon, or by a step that was broken off.
 */
const giveWay = (config: Config, observation: Observation, memory: Memory, why: string): Step[] =>
  dismantle(config, observation, memory, {
    why,
    isSetUp: (session) =>
      memory.guest?.session === session ||
      (isAddressHere(config, observation) && memory.released !== session),
  });

/** Also where it cannot be done (yet): whoever waits for hyperkit must be told. */
const restores = (observation: Observation, why: string): Step[] => {
  const { withHyperkit = [], outOfReach = [] } = valueOf(observation.bundles) ?? {};
  const changed = withHyperkit.filter((bundle) => judgeRestore(bundle).kind !== 'done');
  return [...changed.map(({ hyperkit }) => hyperkit), ...outOfReach].map((hyperkit): Step => ({
    kind: 'restore-hyperkit',
    key: `restore ${hyperkit}`,
    why,
    hyperkit,
  }));
};

function leave(config: Config, observation: Observation, memory: Memory): Step[] {
  const tap = valueOf(observation.tapDevice);
  const disown: Step[] =
    tap && tap.uid !== 0
      ? [
          {
            kind: 'own-tap-device',
            key: `own ${tap.path}`,
            why: 'it goes back to root',
            path: tap.path,
            uid: 0,
          },
        ]
      : [];
  return [
    ...restores(observation, 'tuntapd is being removed'),
    ...reopenSteps(observation, memory),
    ...lower(config, observation, memory),
    ...disown,
  ];
}

/**
 * The steps from what is seen to what is wanted, in order; none when everything is as it should be. A step that
 * depends on another one's effect waits until that effect is seen.
 */
export function plan(config: Config, observation: Observation, memory: Memory): readonly Step[] {
  if (memory.wanted === 'removed') return leave(config, observation, memory);
  // Nobody knows what an operator wants whose configuration cannot be read.
  if (!observation.configuration.inForce) return [];
  if (memory.wanted === 'restored')
    return [
      ...restores(observation, 'a person asked for it'),
      ...reopenSteps(observation, memory),
      ...lower(config, observation, memory),
    ];
  const bundles = config.shim.manage ? shim(observation, memory.launched) : [];
  const ground = [...device(observation), ...bundles, ...reopenSteps(observation, memory)];
  if (memory.wanted === 'down' || memory.lowered) return [...ground, ...lower(config, observation, memory)];
  const collision = linkCollision(config, observation);
  if (collision !== null)
    return [...ground, ...(attachedTap(observation) ? giveWay(config, observation, memory, collision) : [])];
  const onMac = config.routes.manage
    ? routes(config, observation, memory)
    : deletions(config, observation, memory, () => 'routes.manage is off');
  const isRemoval = ({ kind }: Step): boolean => kind === 'delete-route';
  return [
    ...ground,
    ...link(config, observation, memory),
    // Whoever has claimed a range does not wait for a container in the VM.
    ...onMac.filter(isRemoval),
    ...(config.guest.manage ? guest(config, observation, memory) : []),
    ...onMac.filter((step) => !isRemoval(step)),
    ...restartSteps(config, observation, memory),
  ];
}
