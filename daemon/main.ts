/**
 * Composition root: sets the environment, builds the parts, wires them, handles signals. No judgement lives here.
 */
import { dirname, join } from 'node:path';
import { followConfig, type Followed } from '../config/follow.js';
import { type Config, configSchema } from '../config/schema.js';
import { version } from '../config/version.js';
import { cleanEnvironment } from './command.js';
import { judgeConditions, type Failure } from './conditions.js';
import { actionTimeout, type Condition, type Outcome, type Status } from './control/messages.js';
import { serveControl } from './control/server.js';
import { createBundleRoom } from './docker-app/bundles.js';
import { renderShim } from './docker-app/shim.js';
import { watchFolders } from './docker-app/watch.js';
import type { EngineClient } from './guest/engine-client.js';
import { findEngineSocket } from './guest/engine-socket.js';
import { type EngineWatch, watchEngine } from './guest/engine-watch.js';
import { prepareGuest, releaseGuest } from './guest/helper.js';
import { readJournal, writeJournal } from './journal.js';
import { type Log, openLog } from './log.js';
import { observeConsoleUser } from './mac/console-user.js';
import { loadKext, observeKext } from './mac/kext.js';
import { watchRoutes } from './mac/route-monitor.js';
import { addRoute, deleteRoute, observeRoutes } from './mac/routes.js';
import { observeTapDevice, ownTapDevice } from './mac/tap-device.js';
import { addressTap, observeTapInterface, unaddressTap } from './mac/tap-interface.js';
import {
  type Configuration,
  type ConsoleUser,
  type Observation,
  seen,
  unknown,
  type Vm,
} from './observation.js';
import { type Memory, plan } from './plan.js';
import { createReconciler } from './reconciler.js';
import { judgeRoutes } from './routing.js';
import { type Executors, type Step, StepError } from './steps.js';
import { messageOf } from './text.js';
import { observeVm } from './vm/find.js';
import { watchVm } from './vm/watch.js';

const paths = {
  config: '/etc/tuntapd/config.toml',
  logs: '/var/log/tuntapd',
  socket: '/var/run/tuntapd.sock',
  journal: '/var/db/tuntapd/journal.json',
  /** Beside this very program, in the root-only prefix. */
  worker: join(dirname(process.argv[1] ?? ''), 'bundle-worker.mjs'),
} as const;
/** Group `admin` of every Mac. */
const adminGroup = 80;
/** A tick that comes this much late was slept through: no clock of libuv stops while a Mac sleeps. */
const tick = 10_000;
const wakeAfter = 30_000;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** What main keeps between two looks. */
interface State {
  memory: Memory;
  engine: { readonly vm: string; readonly user: string; readonly watch: EngineWatch } | null;
  status: Status | null;
  conditions: readonly Condition[];
  /** Of the console user, last seen. */
  home: string | null;
  failures: readonly Failure[];
}

interface Run {
  /** Resolves when the configuration file says something else than what is in force. */
  readonly reconfigured: Promise<Config>;
  /** Ends this run. With `next`: what only the configuration so far can undo is undone first. */
  readonly stop: (next?: Config) => Promise<void>;
}

async function start(
  { config, problem: firstProblem }: { config: Config; problem: string | null },
  lookAtConfig: ReturnType<typeof followConfig>,
  log: Log,
): Promise<Run> {
  let configuration: Configuration = { problem: firstProblem, inForce: firstProblem === null };
  if (firstProblem !== null) log.error(firstProblem);
  const since = new Date().toISOString();
  const { journal, trouble } = await readJournal(paths.journal);
  if (trouble !== null) log.warn(trouble);
  const bundles = createBundleRoom({
    worker: paths.worker,
    shim: renderShim({ device: config.tap.device, mac: config.tap.mac, wait: config.shim.wait }),
  });
  let lowering = false;
  const state: State = {
    memory: { ...journal, guest: null, released: null },
    engine: null,
    status: null,
    conditions: [],
    home: null,
    failures: [],
  };

  const remember = async (change: Partial<Memory>): Promise<void> => {
    state.memory = { ...state.memory, ...change };
    const { wanted, ownedRoutes } = state.memory;
    try {
      await writeJournal(paths.journal, {
        wanted: wanted === 'removed' ? 'up' : wanted,
        ownedRoutes: [...ownedRoutes],
      });
    } catch (error) {
      log.error(`${paths.journal} cannot be written: ${messageOf(error)}`);
    }
  };

  const forget = (): void => {
    state.engine?.watch.stop();
    state.engine = null;
  };

  /** The engine is dialled only while a VM is seen: asking it would wake Docker's Resource Saver. */
  function followEngine(user: ConsoleUser | null, vm: Vm | null): EngineWatch | null {
    if (!user || !vm) {
      forget();
      return null;
    }
    if (state.engine?.vm !== vm.id || state.engine.user !== user.name) {
      forget();
      const watch = watchEngine({
        findSocket: () => findEngineSocket({ user }),
        vm,
        onChange: () => {
          reconciler.trigger('Docker');
        },
        log: (message) => log.debug(message),
      });
      state.engine = { vm: vm.id, user: user.name, watch };
    }
    return state.engine.watch;
  }

  const apps = (user: ConsoleUser | null): string[] => [
    ...(config.docker.app === undefined ? [] : [config.docker.app]),
    '/Applications/Docker.app',
    ...(user ? [join(user.home, 'Applications/Docker.app')] : []),
  ];

  async function observe(): Promise<Observation> {
    const [consoleUser, tapDevice, kext, tapInterface, routes] = await Promise.all([
      observeConsoleUser(),
      observeTapDevice(config.tap.device),
      observeKext(),
      observeTapInterface(config.tap.device),
      observeRoutes(),
    ]);
    const user = consoleUser.known ? consoleUser.value : null;
    const holder = tapInterface.known ? (tapInterface.value?.holder ?? null) : null;
    state.home = user?.home ?? null;
    const [found, vm] = await Promise.all([
      bundles.observe(apps(user)),
      consoleUser.known
        ? observeVm({ user, holder, device: config.tap.device })
        : Promise.resolve(unknown(consoleUser.why)),
    ]);
    if (vm.known) vmWatch.setVm(vm.value);
    const watch = vm.known ? followEngine(user, vm.value) : (state.engine?.watch ?? null);
    return {
      configuration,
      consoleUser,
      tapDevice,
      kext,
      tapInterface,
      routes,
      bundles: found,
      vm,
      engine: watch?.snapshot() ?? seen(null),
    };
  }

  const engineClient = (): EngineClient => {
    const client = state.engine?.watch.client();
    if (!client) throw new StepError('Docker Engine is gone', { reason: 'NoEngine' });
    return client;
  };

  const executors: Executors = {
    'load-kext': ({ bundle }) => loadKext(bundle),
    'own-tap-device': ({ path, uid }) => ownTapDevice(path, uid),
    'install-shim': ({ hyperkit }) => bundles.install(hyperkit),
    'restore-hyperkit': ({ hyperkit }) => bundles.restore(hyperkit),
    'address-tap': (step) => addressTap(step),
    'unaddress-tap': (step) => unaddressTap(step),
    'prepare-guest': async (step) => {
      const report = await prepareGuest(engineClient(), {
        ...step,
        image: config.guest.image,
        pull: config.guest.pull,
        log: (message) => log.info(message),
      });
      await remember({ guest: report, released: null });
    },
    'release-guest': async (step) => {
      await releaseGuest(engineClient(), step);
      await remember({ guest: null, released: step.session });
    },
    'add-route': async (step) => {
      await addRoute(step);
      await remember({ ownedRoutes: [...new Set([...state.memory.ownedRoutes, step.subnet])] });
    },
    'delete-route': async (step) => {
      await deleteRoute(step);
      await remember({ ownedRoutes: state.memory.ownedRoutes.filter((subnet) => subnet !== step.subnet) });
    },
  };

  function report(observation: Observation, failures: readonly Failure[], pass: string): void {
    const { phase, findings } = judgeConditions(config, observation, state.memory, failures);
    const now = new Date().toISOString();
    const conditions = findings.map((finding): Condition => {
      const before = state.conditions.find(({ type }) => type === finding.type);
      const same = before?.status === finding.status && before.reason === finding.reason;
      if (!same)
        log.info(`${finding.type} is ${finding.status}: ${finding.message}`, {
          pass,
          reason: finding.reason,
        });
      return { ...finding, since: same ? before.since : now };
    });
    state.conditions = conditions;
    state.failures = failures;
    state.status = {
      version,
      pid: process.pid,
      since,
      phase,
      conditions,
      routes: judgeRoutes(config, observation),
      ...(observation.vm.known ? { vm: observation.vm.value } : {}),
      ...(observation.engine.known
        ? {
            engine: observation.engine.value && {
              version: observation.engine.value.version,
              networks: observation.engine.value.networks.length,
            },
          }
        : {}),
      ...(observation.bundles.known
        ? {
            bundles: observation.bundles.value.withHyperkit.map(
              ({ app, hyperkit, version: release, target, original }) => ({
                app,
                hyperkit,
                version: release,
                target: target.kind,
                original: original.kind,
              }),
            ),
          }
        : {}),
    };
  }

  const reconciler = createReconciler<Observation>({
    observe,
    plan: (observation) =>
      plan(config, observation, lowering ? { ...state.memory, wanted: 'down' } : state.memory),
    apply: (step: Step) => (executors[step.kind] as (step: Step) => Promise<void>)(step),
    report,
    log: (level, message, details) => log.log(level, message, details),
    now: () => performance.now(),
    random: Math.random,
    setTimer: (callback, milliseconds) => {
      const timer = setTimeout(callback, milliseconds);
      return () => {
        clearTimeout(timer);
      };
    },
  });

  const trigger = (why: string) => (): void => {
    reconciler.trigger(why);
  };
  const vmWatch = watchVm({
    pidFiles: () =>
      state.home === null
        ? []
        : [
            join(state.home, 'Library/Containers/com.docker.docker/Data/vms/0/hyperkit.pid'),
            join(
              state.home,
              'Library/Containers/com.docker.docker/Data/com.docker.driver.amd64-linux/hypervisor.pid',
            ),
          ],
    onChange: trigger('VM'),
  });

  const settle = async (wanted: Memory['wanted']): Promise<Outcome> => {
    // Whoever asks for the link wants the VM looked at too: a rule flushed by hand tells nobody.
    await remember(wanted === 'up' ? { wanted, guest: null } : { wanted });
    const end = performance.now() + actionTimeout - 10_000;
    for (;;) {
      reconciler.trigger('a person asked', { retry: true });
      await reconciler.settled('a person asked');
      const problems = state.failures.map(({ message }) => message);
      if (problems.length === 0) return { done: true, problems };
      if (state.failures.every(({ blocked }) => blocked) || performance.now() > end)
        return { done: false, problems };
      await pause(1000);
    }
  };

  const folders = ['/Applications', ...bundleFolders(config.docker.app ?? '/Applications/Docker.app')];
  const bundleWatch = watchFolders(folders, trigger('bundle'));
  const routeWatch = watchRoutes(trigger('routing table'));

  let tellReconfigured: (config: Config) => void = () => undefined;
  const reconfigured = new Promise<Config>((resolve) => {
    tellReconfigured = resolve;
  });
  const followFile = async (): Promise<void> => {
    const found = await lookAtConfig();
    if (!found) return;
    const before = configuration;
    configuration = { ...configuration, problem: 'problem' in found ? found.problem : null };
    if ('config' in found && !(before.inForce && JSON.stringify(found.config) === JSON.stringify(config)))
      tellReconfigured(found.config);
    else if (configuration.problem !== before.problem) reconciler.trigger('configuration');
  };

  let lastTick = Date.now();
  const ticker = setInterval(() => {
    followFile().catch((error: unknown) => {
      log.error(`${paths.config}: ${messageOf(error)}`);
    });
    const late = Date.now() - lastTick - tick;
    lastTick = Date.now();
    // Nobody logged in, or nothing there yet: a look that costs two commands tells when that changes.
    if (late > wakeAfter) reconciler.trigger('the Mac woke', { retry: true });
    else if (state.status?.phase !== 'ready') reconciler.trigger('tick');
  }, tick);

  const control = await serveControl({
    socketPath: paths.socket,
    gid: adminGroup,
    log: (level, message) => log.log(level, message),
    handlers: {
      version: () => ({ version, pid: process.pid }),
      status: () => state.status,
      up: () => settle('up'),
      down: () => settle(state.memory.wanted === 'restored' ? 'restored' : 'down'),
      restart: async () => {
        const lowered = await settle('down');
        return lowered.done ? settle('up') : lowered;
      },
      leave: async () => {
        const { problems } = await settle('removed');
        // Only hyperkit matters for whether the daemon may be removed; the rest goes with the VM.
        const done = !state.failures.some(({ step }) => step.kind === 'restore-hyperkit');
        return { done, problems };
      },
      restore: () => settle('restored'),
    },
  });
  log.info(`tuntapd ${version} started`, { pid: process.pid });
  reconciler.trigger('start');

  const stop = async (next?: Config): Promise<void> => {
    clearInterval(ticker);
    // Routes and addresses of the link as it was would be nobody's afterwards.
    if (next && JSON.stringify(next.tap) !== JSON.stringify(config.tap)) {
      lowering = true;
      await reconciler.settled('configuration');
    }
    vmWatch.stop();
    forget();
    routeWatch.stop();
    await Promise.race([Promise.all([control.close(), reconciler.stop(), bundleWatch.stop()]), pause(1500)]);
  };
  return { reconfigured, stop };
}

/** The folders of a bundle in which hyperkit has been. */
const bundleFolders = (app: string): string[] =>
  ['Contents/Resources/bin', 'Contents/MacOS'].map((folder) => join(app, folder));

process.umask(0o027);
for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
Object.assign(process.env, cleanEnvironment);

const ended = new Promise<string>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => {
      resolve(signal);
    });
});

/** One run by one configuration; returns the next one, or null when the process is to end. */
async function run(found: Followed, lookAtConfig: ReturnType<typeof followConfig>): Promise<Followed | null> {
  const settings =
    'config' in found
      ? { config: found.config, problem: null }
      : { config: configSchema.parse({}), problem: found.problem };
  const log = openLog({ folder: paths.logs, ...settings.config.log, gid: adminGroup });
  const onRejection = (reason: unknown): void => {
    log.error(`unexpected: ${messageOf(reason)}`);
  };
  process.on('unhandledRejection', onRejection);
  try {
    const { reconfigured, stop } = await start(settings, lookAtConfig, log);
    const next = await Promise.race([ended, reconfigured]);
    if (typeof next === 'string') {
      log.info(`${next}: ending; routes and link stay as they are`);
      await stop();
      return null;
    }
    log.info(`${paths.config} has changed: starting anew with it`);
    await stop(next);
    return { config: next };
  } catch (error) {
    log.error(`tuntapd cannot start: ${messageOf(error)}`);
    throw error;
  } finally {
    await log.flush();
    process.off('unhandledRejection', onRejection);
  }
}

try {
  const lookAtConfig = followConfig(paths.config);
  for (let found = await lookAtConfig(); found;) found = await run(found, lookAtConfig);
  process.exit(0);
} catch (error) {
  process.stderr.write(`tuntapd cannot start: ${messageOf(error)}\n`);
  process.exit(1);
}
