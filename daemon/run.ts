/** Composition root: builds the parts and wires them. No judgement lives here. */
import { setTimeout as pause } from 'node:timers/promises';
import { listenOf } from '../config/listen.js';
import { isOtherLink } from '../config/other-link.js';
import type { Config } from '../config/schema.js';
import { version } from '../config/version.js';
import { looksAtIpv6 } from './core/ipv6-need.js';
import { sharedRun } from './lib/shared-run.js';
import type { Judgement } from './core/judgement.js';
import { chosenLink } from './core/link/choice.js';
import { neededOfContainers } from './core/names/names.js';
import { keepConfiguration, type LookAtConfig } from './runtime/configuration.js';
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
import type { Log } from './runtime/log.js';
import { glanceAt, watchedPaths } from './mac/glance.js';
import { answersTcp } from './lib/tcp-probe.js';
import { notify } from './mac/notify.js';
import { watchRoutes } from './mac/route-monitor.js';
import { createMeter } from './runtime/meter.js';
import { keepMemory } from './runtime/memory.js';
import { keepNames } from './runtime/names.js';
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
import { createTakeBack } from './runtime/take-back.js';
import { everyTick } from './runtime/ticker.js';
import type { Step } from './core/steps.js';
import type { Family } from './lib/prefix.js';
import { messageOf } from './lib/text.js';
import { pidFilesIn } from './vm/pid-files.js';
import { watchVm } from './vm/watch.js';

const setTimer = (callback: () => void, milliseconds: number): (() => void) => {
  const timer = setTimeout(callback, milliseconds);
  return () => {
    clearTimeout(timer);
  };
};

/** tuntapd at work by one configuration. */
interface Run {
  /** Resolves when the configuration file says something else than what is in force. */
  readonly reconfigured: Promise<Config>;
  /** Ends this run. With `next`: what only the configuration so far can undo is undone first. */
  readonly stop: (next?: Config) => Promise<void>;
}

/**
 * Starts tuntapd by `config`; `problem` says why it is only the defaults, under which nothing is changed, but for a
 * resolver file that leads nowhere. Throws when the journal or the control socket cannot be used.
 */
export async function start(
  { config, problem }: { readonly config: Config; readonly problem: string | null },
  lookAtConfig: LookAtConfig,
  log: Log,
): Promise<Run> {
  if (problem !== null) log.error(problem);
  const configuration = keepConfiguration({
    config,
    problem,
    look: lookAtConfig,
    onProblem: () => {
      reconciler.trigger('configuration');
    },
  });
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
    configuration: configuration.now,
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

  const ticker = everyTick((hasSlept) => {
    configuration.look().catch((error: unknown) => {
      log.error(`${paths.config}: ${messageOf(error)}`);
    });
    if (!hasSlept) return;
    // A stream that broke off while the Mac slept may not know it.
    engine.startOver();
    dataPath.lookAnew();
    dataPath6.lookAnew();
    reconciler.trigger('the Mac woke', { retry: 'woke' });
  });

  const control = await serveControl({
    socketPath: paths.socket,
    rootSocketPath: paths.rootSocket,
    gid: adminGroup,
    log: (level, message) => log.log(level, message),
    handlers: createHandlers({
      memory,
      configuration: configuration.now,
      routes: routeKeeper,
      engine,
      reconciler,
      status: reporter.status,
      follow: statuses.follow,
      metrics: () => meter.text(reporter.status()),
      failures: reporter.failures,
      bundles,
      contexts,
      names,
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
    ticker.stop();
    clearTimeout(settled);
    // Routes and addresses of the link as it was would be nobody's afterwards.
    if (next && isOtherLink(config, next)) {
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
  return { reconfigured: configuration.reconfigured, stop };
}
