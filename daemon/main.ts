/** The process: its environment, its signals, one run after the other as the configuration changes. */
import './lib/no-inspector.js';
import { followConfig, type Followed } from '../config/follow.js';
import { configSchema } from '../config/schema.js';
import { cleanEnvironment } from './lib/command.js';
import { adminGroup, paths } from './lib/paths.js';
import { messageOf } from './lib/text.js';
import { start } from './run.js';
import type { LookAtConfig } from './runtime/configuration.js';
import { openLog } from './runtime/log.js';

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
async function run(found: Followed, lookAtConfig: LookAtConfig): Promise<Followed | null> {
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
