/**
 * What everybody reads afterwards: a fixed list of conditions, a view of what was seen and of how the steps went.
 * Pure. Messages are for people: what it means and what to do.
 */
import type { Config } from '../../config/schema.js';
import { wayOf } from '../runtime/data-path.js';
import { judgeInstall } from './docker/hyperkit.js';
import { type Bundle, type Bundles, type Observation, valueOf, type Vm } from './observation.js';
import { linkCollision } from './link/collision.js';
import { takenRow, toldTaken } from './link/taken.js';
import { type Memory, tapOwner } from './plan.js';
import { awaitsLaunch } from './docker/first-launch.js';
import { judgeRestart } from './docker/restart.js';
import { judgeRoutes } from './routes/verdicts.js';
import type { Step } from './steps.js';
import { attachedTap, heldTap, leftoverWithTap, linkState } from './link/tap.js';

export const conditionTypes = [
  'Configuration',
  'ConsoleUser',
  'TapDevice',
  'Shim',
  'VirtualMachine',
  'TapAttached',
  'TapAddress',
  'Engine',
  'Guest',
  'Routes',
  'DataPath',
  'Ready',
] as const;

export type ConditionType = (typeof conditionTypes)[number];

export interface Finding {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** A step that failed last time, until it succeeds or is no longer asked for. */
export interface Failure {
  readonly step: Step;
  readonly reason: string;
  readonly message: string;
  readonly blocked: boolean;
}

export type Phase = 'ready' | 'idle' | 'down' | 'working' | 'degraded' | 'blocked';

type Verdict = Omit<Finding, 'type'>;
const yes = (reason: string, message: string): Verdict => ({ status: 'True', reason, message });
const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
const unclear = (message: string, reason = 'NotSeen'): Verdict => ({ status: 'Unknown', reason, message });

type Judge = (
  config: Config,
  observation: Observation,
  memory: Memory,
  failures: readonly Failure[],
) => Verdict;

/** The failure of a step of these kinds, as the verdict that replaces a mere "not yet". */
const failed = (failures: readonly Failure[], kinds: readonly Step['kind'][]): Verdict | null => {
  const failure = failures.find(({ step }) => kinds.includes(step.kind));
  return failure ? no(failure.reason, failure.message) : null;
};

const configuration: Judge = (_config, { configuration: { problem, inForce } }) => {
  if (problem === null) return yes('Valid', 'in force');
  return no(
    'Invalid',
    inForce
      ? `${problem}; tuntapd goes on with the configuration it had`
      : `${problem}; tuntapd does nothing until that is mended`,
  );
};

const consoleUser: Judge = (_config, { consoleUser: user }) => {
  if (!user.known) return unclear(user.why);
  return user.value
    ? yes('LoggedIn', `${user.value.name} (uid ${user.value.uid})`)
    : no('NobodyLoggedIn', 'nobody is logged in; nothing to do until then');
};

const tapDevice: Judge = (config, observation, memory, failures) => {
  const { kext, tapDevice: device } = observation;
  const failure = failed(failures, ['load-kext', 'own-tap-device']);
  if (failure) return failure;
  if (!device.known) return unclear(device.why);
  if (!device.value) {
    if (kext.known && kext.value.state === 'installed')
      return no('KextNotLoaded', `${kext.value.bundles.join(' and ')} is installed but not loaded`);
    return no(
      'KextMissing',
      `/dev/${config.tap.device} does not exist: no tap kext is loaded. Install tuntaposx or Tunnelblick’s tap kext, ` +
        `approve it in System Settings > Privacy & Security, and restart the Mac`,
    );
  }
  if (memory.wanted === 'removed')
    return yes('Present', `${device.value.path} belongs to uid ${device.value.uid}`);
  const owner = tapOwner(observation);
  if (owner !== null && device.value.uid !== owner)
    return no('NotOwned', `${device.value.path} does not belong to uid ${owner} yet`);
  return yes('Owned', `${device.value.path} belongs to uid ${device.value.uid}`);
};

function bundleTrouble(bundle: Bundle): Verdict | null {
  const verdict = judgeInstall(bundle);
  switch (verdict.kind) {
    case 'done':
      return null;
    case 'change':
      return bundle.target.kind === 'shim'
        ? null
        : no('NotInstalled', `${bundle.hyperkit} has no current shim (${bundle.target.kind})`);
    case 'wait':
      return no('BeingWritten', verdict.why);
    case 'blocked':
      return no(verdict.reason, verdict.why);
  }
}

/** What is amiss with each Docker.app. */
function bundleTroubles(
  { withHyperkit, refused, replacing }: Bundles,
  observation: Observation,
  memory: Memory,
): readonly { readonly app: string; readonly verdict: Verdict }[] {
  return [
    ...replacing.map(({ app, why }) => ({ app, verdict: no('BeingReplaced', why) })),
    ...refused.map(({ app, why, unseen = false }) => ({
      app,
      verdict: unseen ? unclear(why, 'DoesNotAnswer') : no('Refused', `${app} is left alone: ${why}`),
    })),
    ...withHyperkit.flatMap((bundle) => {
      const { app } = bundle;
      const verdict = awaitsLaunch(observation, memory.launched, bundle)
        ? no(
            'NotLaunched',
            `${app} has not been opened yet since it was installed, and macOS 13 and newer start no changed app for the first time: open Docker once, the rest is done then`,
          )
        : bundleTrouble(bundle);
      return verdict ? [{ app, verdict }] : [];
    }),
  ];
}

const shim: Judge = (config, observation, memory, failures) => {
  const { bundles } = observation;
  if (!config.shim.manage) return yes('NotManaged', 'shim.manage is false: hyperkit is left as it is');
  if (memory.wanted === 'removed') return no('Removed', 'tuntapd is being removed');
  const failure = failed(failures, ['install-shim', 'restore-hyperkit']);
  if (failure) return failure;
  if (!bundles.known) return unclear(bundles.why);
  if (memory.wanted === 'restored')
    return no('Restored', 'hyperkit is as Docker shipped it, as asked; `tuntapctl up` puts the shim back');
  const { withHyperkit, without } = bundles.value;
  const troubles = bundleTroubles(bundles.value, observation, memory);
  // With the link up the Docker.app counts whose VM has it; what is amiss with another one is only told.
  const executable = attachedTap(observation)?.vm.executable;
  const running = withHyperkit.find(({ app }) => executable?.startsWith(`${app}/`))?.app;
  const trouble = troubles.find(({ app }) => running === undefined || app === running);
  if (trouble) return trouble.verdict;
  if (withHyperkit.length > 0) {
    const shimmed = withHyperkit.filter(({ app }) => !troubles.some((other) => other.app === app));
    return yes(
      'Installed',
      [
        shimmed.map(({ hyperkit }) => hyperkit).join(', '),
        ...troubles.map(({ verdict }) => verdict.message),
      ].join('; '),
    );
  }
  return without[0]
    ? no(
        'NoHyperkit',
        `${without[0].app} has no hyperkit: this Docker Desktop runs its VM by the Virtualization framework, which cannot be given a tap. Use an Intel Mac and a Docker Desktop that offers HyperKit`,
      )
    : no('NoDocker', 'no Docker.app in /Applications or ~/Applications; set docker.app if it is elsewhere');
};

const named = (vms: readonly Vm[]): string =>
  vms.map(({ pid, uid }) => `pid ${pid} of uid ${uid}`).join(', ');

const olderOf = ({ uid }: Vm, otherVms: readonly Vm[]): readonly Vm[] =>
  otherVms.filter((other) => other.uid === uid);

/** Which of one user's VMs are left over from before the one that counts, and how to end them. */
const leftBehind = (older: readonly Vm[]): string => {
  const told = older.map(({ pid, startedAt }) => `pid ${pid} (since ${startedAt})`).join(' and ');
  const pids = older.map(({ pid }) => pid).join(' ');
  return (
    `${older.length + 1} VMs of Docker’s of one user run, and ${told} is left over from before: quit Docker Desktop, ` +
    `end what stays with \`kill ${pids}\`, and open Docker Desktop again`
  );
};

const virtualMachine: Judge = (_config, { vm, otherVms, docker, consoleUser: user }) => {
  if (!vm.known) return unclear(vm.why);
  const older = vm.value ? olderOf(vm.value, otherVms) : [];
  const strangers = otherVms.filter((other) => !older.includes(other));
  const others = [
    ...(strangers.length === 0 ? [] : [`; another one without our link: ${named(strangers)}`]),
    ...(older.length === 0 ? [] : [`; ${leftBehind(older)}`]),
  ].join('');
  const byApple = valueOf(docker)?.find(({ virtualization }) => virtualization);
  if (!vm.value && byApple)
    return no(
      'VirtualizationFramework',
      `Docker’s VM (pid ${byApple.pid}) runs by Apple’s Virtualization framework, which cannot be given a tap: choose ` +
        `HyperKit in Docker’s settings (General), where this Docker Desktop still offers it${others}`,
    );
  if (!vm.value)
    return no('NotRunning', `Docker’s VM does not run; everything is set up when it starts${others}`);
  const { pid, uid, startedAt } = vm.value;
  const behind =
    user.known && user.value?.uid !== uid ? ` for uid ${uid}, who is logged in but not in front` : '';
  return yes('Running', `hyperkit runs as pid ${pid} since ${startedAt}${behind}${others}`);
};

const tapAttached: Judge = (config, observation, memory) => {
  const { vm, tapInterface, otherVms, consoleUser: user } = observation;
  if (!vm.known) return unclear(vm.why);
  if (!vm.value) return no('NoVm', 'no VM');
  if (!tapInterface.known) return unclear(tapInterface.why);
  const { pid, uid } = vm.value;
  const inFront = user.known ? user.value : null;
  const held = heldTap(observation);
  if (held && inFront && inFront.uid !== uid) {
    const waiting = otherVms.find((other) => other.uid === inFront.uid);
    if (waiting)
      return no(
        'HeldByOtherUser',
        `${config.tap.device} is held by Docker’s VM of uid ${uid} (pid ${pid}), who is still logged in, so that of ` +
          `${inFront.name} (pid ${waiting.pid}) has no link: quit Docker there, then restart it here`,
      );
  }
  if (attachedTap(observation))
    return yes('Attached', `the VM holds /dev/${config.tap.device} (pid ${vm.value.pid})`);
  const leftover = leftoverWithTap(observation);
  if (leftover)
    return no(
      'HeldByLeftover',
      `${config.tap.device} is held by pid ${leftover.pid}, but the engine is that of pid ${pid}, so nothing is set up. ` +
        leftBehind(olderOf(vm.value, otherVms)),
    );
  if (tapInterface.value && !held)
    return no(
      'HeldByAnother',
      `${config.tap.device} is held by pid ${tapInterface.value.holder ?? 'unknown'}, which is not Docker’s VM: choose another tap.device`,
    );
  const collision = linkCollision(config, observation);
  if (collision !== null) return no('LinkCollision', collision);
  const { device } = config.tap;
  const lack = vm.value.tapIsForeign
    ? `the VM’s card on ${device} has another MAC than ${config.tap.mac}`
    : `the VM runs without ${device}`;
  if (memory.restart.reopen)
    return no('RestartPending', `${lack}: tuntapd has asked Docker to quit, and opens it again`);
  const restart = judgeRestart(config, observation, memory);
  if (restart.act === 'ask')
    return no('RestartNeeded', `${lack}: quit Docker Desktop and open it again (${restart.why})`);
  if (restart.act !== 'none') return no('RestartPending', `${lack}: ${restart.why}`);
  if (vm.value.tapIsForeign) return no('OtherMac', `${lack}: restart Docker Desktop once`);
  return vm.value.startedWithTap
    ? no(
        'TapNotOpened',
        `the VM was started with ${config.tap.device} but could not open it, and does not try again: restart Docker Desktop`,
      )
    : no('StartedWithoutTap', 'the VM was started before the shim was in place: restart Docker Desktop once');
};

const tapAddress: Judge = (config, observation, memory, failures) => {
  const link = linkState(config, observation);
  if (link.kind === 'absent') return no('NoLink', 'the tap is not attached');
  const taken = takenRow(config, observation, memory.link);
  if (taken) return no('LinkTaken', toldTaken(config, observation, taken));
  const collision = linkCollision(config, observation);
  if (collision !== null) return no('LinkCollision', collision);
  if (link.kind === 'unknown') return unclear(link.why);
  const { device, address, prefix } = config.tap;
  if (link.kind === 'up') return yes('Set', `${device} has ${address}/${prefix}`);
  const { held } = memory.link;
  if (held?.state === 'yielded')
    return no(
      'LinkYielded',
      `something on this Mac, most often a VPN, took the link’s network away ${held.losses} times in a row. The link comes ` +
        'back when the routing table has settled, or with `tuntapctl up`',
    );
  const failure = failed(failures, ['address-tap']);
  if (failure) return failure;
  if (!observation.resolvers.known) return unclear(observation.resolvers.why);
  return link.kind === 'lost'
    ? no(
        'NotSet',
        `${device} has ${address}/${prefix}, but the table has lost its row: it is set anew in a moment`,
      )
    : no('NotSet', `${device} has no ${address}/${prefix} yet`);
};

/** Why an engine is silent where a restart of Docker helps. */
const restartCures = new Set(['SocketMissing', 'SocketStale', 'SocketRefused', 'EngineSilent']);

const engine: Judge = (_config, { vm, engine: seen }) => {
  if (vm.known && !vm.value) return no('NoVm', 'no VM');
  if (!seen.known) {
    const isCurable = seen.reason !== undefined && restartCures.has(seen.reason);
    return unclear(isCurable ? `${seen.why}. If it stays so, restart Docker Desktop` : seen.why, seen.reason);
  }
  return seen.value
    ? yes('Answering', `Docker Engine ${seen.value.version}, ${seen.value.networks.length} networks`)
    : no('NotAsked', 'Docker Engine is not asked while there is no VM');
};

const guest: Judge = (config, { engine: seen }, memory, failures) => {
  if (!config.guest.manage)
    return yes('NotManaged', 'guest.manage is false: the VM’s side is left to its operator');
  const failure = failed(failures, ['prepare-guest', 'release-guest']);
  if (failure) return failure;
  if (!seen.known || !seen.value) return no('NoEngine', 'Docker Engine does not answer (yet)');
  const report = memory.guest;
  return report?.session === seen.value.session
    ? yes(
        'Prepared',
        `${report.interface} has ${config.tap.peer}; accept rule in ${report.rules.join(' and ')}`,
      )
    : no('NotPrepared', 'the VM’s interface and firewall are not set up yet');
};

/** A few by name, the rest as a number: with hundreds of networks a message must stay one. */
const listed = (words: readonly string[], separator: string): string =>
  words.length <= 10
    ? words.join(separator)
    : `${words.slice(0, 8).join(separator)}${separator}and ${words.length - 8} more`;

const routes: Judge = (config, observation, memory, failures) => {
  if (!config.routes.manage) return yes('NotManaged', 'routes.manage is false: routes are left as they are');
  if (!observation.routes.known) return unclear(observation.routes.why);
  const failure = failed(failures, ['add-route', 'delete-route']);
  if (failure) return failure;
  if (!observation.engine.known || !observation.engine.value)
    return no('NoEngine', 'Docker’s networks are not known (yet)');
  const verdicts = judgeRoutes(config, observation, memory);
  const inState = (...states: readonly string[]) => verdicts.filter(({ state }) => states.includes(state));
  const told = (found: typeof verdicts): string =>
    listed(
      found.map(({ subnet, network, why }) => `${subnet} (${network}): ${why}`),
      '; ',
    );
  const subnets = (found: typeof verdicts): string =>
    listed(
      found.map(({ subnet }) => subnet),
      ', ',
    );
  const foreign = inState('foreign');
  if (foreign.length > 0) return no('Conflict', told(foreign));
  const yielded = inState('yielded');
  if (yielded.length > 0) return no('Yielded', told(yielded));
  const [unsure] = observation.resolvers.known ? [] : inState('waiting');
  if (unsure) return no('ResolversUnknown', `not routed: ${unsure.why}`);
  const pending = inState('pending', 'waiting');
  if (pending.length > 0) return no('Pending', `not routed yet: ${subnets(pending)}`);
  const routed = inState('routed');
  if (routed.length > 0) return yes('Set', subnets(routed));
  return verdicts.length === 0
    ? yes('NoNetwork', 'Docker has no network yet')
    : yes('NoneRouted', 'no subnet of Docker’s is routed: `tuntapctl routes` says why of each');
};

const dataPath: Judge = (config, observation, memory) => {
  const way = wayOf(config, observation, memory);
  const link = linkState(config, observation);
  if (link.kind === 'unknown') return unclear(link.why);
  if (!way) return no('NoLink', 'nothing to check before the rest is there');
  const { session, state, detail } = observation.dataPath;
  if (session !== way.session) return unclear('not checked yet');
  switch (state) {
    case 'alive':
      return yes('Answering', detail);
    case 'unchecked':
      return unclear(detail);
    case 'silent':
      return no(
        'NothingAnswers',
        `link, firewall and routes look right, but not all that should answer does (${detail}). It is checked again each minute; ` +
          `\`tuntapctl restart\` sets everything up anew. A container that lets nobody in by a firewall of its own looks the ` +
          `same, and so does a packet filter on this Mac (that of AnyConnect, Little Snitch): let it pass traffic on ${config.tap.device}`,
      );
  }
};

const judges: Readonly<Record<Exclude<ConditionType, 'Ready'>, Judge>> = {
  Configuration: configuration,
  ConsoleUser: consoleUser,
  TapDevice: tapDevice,
  Shim: shim,
  VirtualMachine: virtualMachine,
  TapAttached: tapAttached,
  TapAddress: tapAddress,
  Engine: engine,
  Guest: guest,
  Routes: routes,
  DataPath: dataPath,
};

const link: readonly ConditionType[] = ['TapAttached', 'TapAddress', 'Engine', 'Guest', 'Routes', 'DataPath'];
/** What keeps a Mac from ever getting there, VM or not. */
const ground: readonly ConditionType[] = ['TapDevice', 'Shim'];
/** Reasons that last until a person acts. */
const lasting = new Set(['LinkCollision', 'LinkTaken', 'RestartNeeded', 'VirtualizationFramework']);
/** Reasons before which no other one counts but a configuration: this Docker, as it is, can never be given a tap. */
const hopeless = new Set(['NoHyperkit', 'VirtualizationFramework']);
/** Reasons that pass by themselves while a VM starts. */
const passing = new Set([
  'NotSet',
  'NotPrepared',
  'Pending',
  'NoEngine',
  'NotSeen',
  'NotOwned',
  'NotInstalled',
  'BeingReplaced',
  'BeingWritten',
  'KextNotLoaded',
  'NotLaunched',
  'RestartPending',
]);

interface Summary {
  readonly phase: Phase;
  readonly verdict: Verdict;
}

/** What is wrong decides, in its own words. */
const because = (phase: Phase, { reason, message }: Finding | Failure): Summary => ({
  phase,
  verdict: no(reason, message),
});

function phaseOf(memory: Memory, findings: readonly Finding[], failures: readonly Failure[]): Summary {
  const of = (wanted: ConditionType): Finding | undefined => findings.find(({ type }) => type === wanted);
  const bad = (types: readonly ConditionType[]): Finding | undefined =>
    findings.find(({ type, status }) => types.includes(type) && status !== 'True');
  const vm = of('VirtualMachine');
  const isRunning = vm?.status === 'True';
  const configured = of('Configuration');
  if (configured?.reason === 'Invalid') return because('blocked', configured);
  const deadEnd = memory.wanted === 'up' ? findings.find(({ reason }) => hopeless.has(reason)) : undefined;
  const blocked = failures.find((failure) => failure.blocked);
  if (blocked && !deadEnd) return because('blocked', blocked);
  const [failure] = failures;
  if (memory.wanted !== 'up')
    return failure
      ? because('degraded', failure)
      : { phase: 'down', verdict: no('Down', 'taken down; `tuntapctl up` brings it back') };
  const user = of('ConsoleUser');
  // A VM of somebody who is logged in behind the login window goes on.
  if (user && user.status !== 'True' && !isRunning)
    return user.status === 'False'
      ? { phase: 'idle', verdict: no('Idle', 'nobody is logged in') }
      : because('working', user);
  const trouble = deadEnd ?? bad(ground) ?? (isRunning ? bad(link) : undefined);
  if (trouble) {
    if (lasting.has(trouble.reason)) return because('blocked', trouble);
    return because(!failure && passing.has(trouble.reason) ? 'working' : 'degraded', trouble);
  }
  // Of a step that no condition is about, as of opening Docker again, too.
  if (failure) return because('degraded', failure);
  if (vm?.status === 'Unknown') return because('working', vm);
  if (!isRunning) return { phase: 'idle', verdict: no('Idle', 'Docker’s VM does not run') };
  const routed = of('Routes');
  const what =
    routed?.reason === 'Set'
      ? 'containers answer on their own addresses'
      : `the link is set up; ${routed?.message ?? ''}`;
  return { phase: 'ready', verdict: yes('Ready', what) };
}

/** Every condition, in the order of `conditionTypes`, and the one word that sums them up. */
export function judgeConditions(
  config: Config,
  observation: Observation,
  memory: Memory,
  failures: readonly Failure[],
): { readonly phase: Phase; readonly findings: readonly Finding[] } {
  const findings = Object.entries(judges).map(([type, judge]) => ({
    type: type as ConditionType,
    ...judge(config, observation, memory, failures),
  }));
  const { phase, verdict } = phaseOf(memory, findings, failures);
  return { phase, findings: [...findings, { type: 'Ready', ...verdict }] };
}
