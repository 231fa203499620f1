import { loadConfig } from '../config/load.js';
import { type Config, configSchema } from '../config/schema.js';
import type { Io } from './io.js';

/** The link as it is configured, or by default where the configuration cannot be taken. */
export async function configuredTap({ configPath, layout }: Io): Promise<Config['tap']> {
  try {
    return (await loadConfig(configPath, { owner: layout.owner.uid })).config.tap;
  } catch {
    return configSchema.parse({}).tap;
  }
}
