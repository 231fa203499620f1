/**
 * Composition root: sets the environment, builds the parts, wires them, handles signals. No judgement lives here.
 */
import './lib/no-inspector.js';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { followConfig, type Followed } from '../config/follow.js';
import { type Config, configSchema } from '../config/schema.js';
import { listenOf } from '../config/listen.js';
import { version } from '../config/version.js';
import { cleanEnvironment } from './lib/command.js';
import { looksAtIpv6 } from './core/ipv6-need.js';
import { sharedRun } from './lib/shared-run.js';
import type { Judgement } from './core/judgement.js';
import { chosenLink } from './core/link/choice.js';
import { neededOfContainers } from './core/names/names.js';
import { watchDataPath } from './runtime/data-path.js';
import { serveMetrics } from './control/metrics-listener.js';
import { serveControl } from './control/server.js';
import { createFeed } from './control/stream.js';
import { childIn } from './docker-app/bundle-child.js';
import { createBundleRoom } from './docker-app/bundles.js';
import { outsideBy } from './docker-app/outside.js';
import { renderShim } from './docker-app/shim.js';
import { watchBundles } from './docker-app/watch.js';
import { contextsBy, createContexts } from './guest/contexts.js';
import { createSettings } from './guest/settings.js';
import { linkEngine } from './runtime/engine.js';
import { createExecutors } from './runtime/executors.js';
import { type Log, openLog } from './runtime/log.js';
import { glanceAt, watchedPaths } from './mac/glance.js';
import { answersTcp } from './lib/tcp-probe.js';
import { notify } from './mac/notify.js';
import { watchRoutes } from './mac/route-monitor.js';
import { createMeter } from './runtime/meter.js';
import { keepMemory } from './runtime/memory.js';
import { keepNames } from './runtime/names.js';
import type { Configuration } from './core/observation.js';
import { longestRunning } from './guest/user-containers.js';
import { createLook } from './runtime/look.js';
import { createObserver } from './runtime/observe.js';
import { addressesOf } from './core/probe.js';
import { adminGroup, paths } from './lib/paths.js';
import { createOwnersLook } from './runtime/owners-look.js';
import { plan } from './core/plan.js';
import { createReconciler } from './runtime/reconciler.js';
import { createReporter } from './runtime/reporter.js';
import { createHandlers } from './runtime/requests.js';
import { keepRoutes } from './runtime/route-keeper.js';
import { createTeller } from './runtime/tell-blocked.js';
import type { Step } from './core/steps.js';
import { createTakeBack } from './runtime/take-back.js';
import type { Family } from './lib/prefix.js';
import { messageOf } from './lib/text.js';
import { pidFilesIn } from './vm/pid-files.js';
import { watchVm } from './vm/watch.js';
import { type Moment, slept, tick } from './core/wake.js';

const setTimer = (callback: () => void, milliseconds: number): (() => void) => {
  const timer = setTimeout(callback, milliseconds);
  return () => {
    clearTimeout(timer);
  };
};

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
  const memory = await keepMemory(paths.journal, log, config.tap.device);
  const outside = outsideBy(paths.outsideWorker);
  const bundles = createBundleRoom({
    ask: childIn(paths.worker),
    look: outside.look,
    systemFolder: '/Applications',
    originals: paths.originals,
    log: (level, message) => log.log(level, message),
    shim: renderShim({ device: config.tap.device, mac: config.tap.mac, wait: config.shim.wait }),
  });
  let ending = false;
  const statuses = createFeed();
  const meter = createMeter(() => performance.now());
  /** Of the console user, last seen. */
  let home: string | null = null;

  const trigger = (why: string) => (): void => {
    reconciler.trigger(why);
  };
  const sockets = createOwnersLook((owner) => outsideBy(paths.outsideWorker, undefined, owner));
  const engine = linkEngine({
    onChange: trigger('Docker'),
    log: (message) => log.debug(message),
    takeBack: createTakeBack({
      manage: config.guest.manage,
      memory,
      log: (message) => log.info(message),
    }),
    answers: sockets.answers,
  });

  const contexts = createContexts({
    ask: contextsBy(paths.contextWorker),
    onDue: trigger('context'),
    now: () => performance.now(),
    setTimer,
  });

  const watchWay = (family: Family, why: string, onRepair: () => void) =>
    watchDataPath({
      probe: answersTcp,
      containers: async () => addressesOf(await engine.containers(), family),
      onChange: trigger(why),
      onRepair,
      now: () => performance.now(),
      setTimer,
    });
  // Its containers may have changed without a word: a stream of events can go deaf.
  const dataPath = watchWay(4, 'data path', engine.startOver);
  const dataPath6 = watchWay(6, 'data path by IPv6', () => undefined);

  const dns = sharedRun();
  const names = keepNames({
    zone: config.names.zone,
    worker: paths.namesWorker,
    temporary: paths.newResolver,
    onChange: trigger('names'),
    log: (message) => log.debug(message),
    dns,
  });

  const routeKeeper = keepRoutes({
    memory,
    now: () => performance.now(),
    onDue: trigger('a route is due again'),
  });
  const look = createLook({
    maker: chosenLink,
    config,
    configuration: () => configuration,
    observe: createObserver({
      config,
      apps: () => memory.now().apps,
      owed: () => memory.now().restart.reopen,
      looksAtIpv6: () => looksAtIpv6(config, engine.last(), memory.now()),
      bundles,
      contexts,
      dns,
      settings: createSettings({
        ask: contextsBy(paths.contextWorker),
        onAnswer: trigger('Docker’s settings'),
      }),
    }),
    memory,
    remembered: () => (ending ? { ...memory.now(), lowered: true } : memory.now()),
    routes: routeKeeper,
    engine,
    dataPath: dataPath.snapshot,
    dataPath6: dataPath6.snapshot,
    names: names.observe,
    longestRunning: () => longestRunning(engine.client()),
    onUser: (user) => {
      home = user?.home ?? null;
    },
    onVm: (vm) => {
      vmWatch.setVm(vm);
    },
    onBundles: async (apps, settlesIn) => {
      await bundleWatch.follow(apps);
      clearTimeout(settled);
      if (settlesIn !== null) settled = setTimeout(trigger('bundle'), settlesIn + 50);
    },
  });
  const tellIfBlocked = createTeller({ memory, notify, now: () => performance.now() });
  const executors = createExecutors({ bundles, engine, memory, names, log });
  const reporter = createReporter({
    maker: chosenLink,
    pid: process.pid,
    log: (message, details) => log.info(message, details),
    now: () => performance.now(),
  });

  const reconciler = createReconciler<Judgement>({
    observe: async () => {
      meter.begin();
      await glance.mark();
      return look();
    },
    plan: (judgement) => plan(chosenLink, judgement),
    apply: meter.counting((step: Step, signal: AbortSignal) =>
      (executors[step.kind] as (step: Step, signal: AbortSignal) => Promise<void>)(step, signal),
    ),
    report: (judgement, failures, pass) => {
      const status = reporter.report(judgement, failures, pass);
      meter.end(status);
      tellIfBlocked(judgement, status);
      statuses.tell(status);
      dataPath.follow(judgement.probe);
      dataPath6.follow(judgement.ipv6?.probe ?? null);
      names.follow(judgement.names);
      engine.keepContainers(neededOfContainers(judgement));
    },
    log: (level, message, details) => log.log(level, message, details),
    now: () => performance.now(),
    random: Math.random,
    pace: reporter.pace,
    setTimer,
  });

  const vmWatch = watchVm({
    pidFiles: () => (home === null ? [] : [...pidFilesIn(home), ...contexts.files()]),
    onChange: () => {
      contexts.lookAnew();
      reconciler.trigger('VM');
    },
  });

  const bundleWatch = watchBundles({
    worker: paths.watchWorker,
    look: outside.look,
    onChange: trigger('bundle'),
  });
  let settled: NodeJS.Timeout | undefined;
  const routeWatch = watchRoutes(trigger('routing table'));
  const glance = glanceAt(watchedPaths(config.tap.device), trigger('user or kext'));

  let tellReconfigured: (config: Config) => void = () => undefined;
  const reconfigured = new Promise<Config>((resolve) => {
    tellReconfigured = resolve;
  });
  const followFile = async (): Promise<void> => {
    const found = await lookAtConfig();
    if (!found) return;
    const before = configuration;
    configuration = { ...configuration, problem: 'problem' in found ? found.problem : null };
    if ('config' in found && !(before.inForce && isDeepStrictEqual(found.config, config)))
      tellReconfigured(found.config);
    else if (configuration.problem !== before.problem) reconciler.trigger('configuration');
  };

  const moment = (): Moment => ({ wall: Date.now(), monotonic: performance.now() });
  let lastTick = moment();
  const ticker = setInterval(() => {
    followFile().catch((error: unknown) => {
      log.error(`${paths.config}: ${messageOf(error)}`);
    });
    const before = lastTick;
    lastTick = moment();
    if (!slept(before, lastTick)) return;
    // A stream that broke off while the Mac slept may not know it.
    engine.startOver();
    reconciler.trigger('the Mac woke', { retry: 'woke' });
  }, tick);

  const control = await serveControl({
    socketPath: paths.socket,
    rootSocketPath: paths.rootSocket,
    gid: adminGroup,
    log: (level, message) => log.log(level, message),
    handlers: createHandlers({
      memory,
      configuration: () => configuration,
      routes: routeKeeper,
      engine,
      reconciler,
      status: reporter.status,
      follow: statuses.follow,
      metrics: () => meter.text(reporter.status()),
      failures: reporter.failures,
      bundles,
      contexts,
      pause,
    }),
  });
  const listen = config.metrics.listen === undefined ? null : listenOf(config.metrics.listen);
  const listener =
    listen &&
    serveMetrics({
      listen,
      text: () => meter.text(reporter.status()),
      log: (level, message) => log.log(level, message),
    });
  log.info(`tuntapd ${version} started`, { pid: process.pid });
  reconciler.trigger('start');

  const stop = async (next?: Config): Promise<void> => {
    clearInterval(ticker);
    clearTimeout(settled);
    // Routes and addresses of the link as it was would be nobody's afterwards.
    const linkOf = ({ docker: { context }, link, tap, ipv6 }: Config): unknown => ({
      ...{ context, link, tap },
      ...{ manage: ipv6.manage, ends: [ipv6.address, ipv6.peer, ipv6.prefix] },
    });
    if (next && !isDeepStrictEqual(linkOf(next), linkOf(config))) {
      ending = true;
      await reconciler.settled('configuration');
    }
    vmWatch.stop();
    contexts.stop();
    glance.stop();
    engine.stop();
    dataPath.stop();
    dataPath6.stop();
    routeWatch.stop();
    routeKeeper.stop();
    outside.stop();
    sockets.stop();
    bundleWatch.stop();
    await Promise.race([Promise.all([control.close(), listener?.close(), reconciler.stop()]), pause(1500)]);
    await Promise.race([names.stop(), pause(1500)]);
    // A step that is still at work must not write over what the next run knows.
    await memory.close();
  };
  return { reconfigured, stop };
}

process.umask(0o027);
for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
Object.assign(process.env, cleanEnvironment);

const ended = new Promise<string>((resolve) => {
  // Not `once`: execa's listener, which is there while a command runs, ends the process when it finds itself alone.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
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
