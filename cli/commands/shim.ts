import { loadConfig } from '../../config/load.js';
import { exit } from '../exit.js';
import type { Io } from '../io.js';
import { printJson } from '../terminal.js';

/** `tuntapctl shim show`: the shim exactly as it would be installed, daemon or not. */
export async function shimShow(io: Io, options: { json?: boolean }): Promise<number> {
  const { config } = await loadConfig(io.configPath, { owner: io.layout.owner.uid });
  const text = io.renderShim({ device: config.tap.device, mac: config.tap.mac, wait: config.shim.wait });
  if (options.json === true) printJson(io, { shim: text });
  else io.stdout.write(text);
  return exit.healthy;
}
