import { access } from 'node:fs/promises';
import { commandLine } from '../../daemon/lib/command.js';
import { CliError } from '../exit.js';
import { installFix } from '../installed.js';
import type { Io } from '../io.js';

/** `sudo tuntapctl uninstall`, by the uninstaller that was installed with it. Returns its exit status. Throws CliError. */
export async function uninstall(
  io: Io,
  { purge = false, force = false, json = false }: { purge?: boolean; force?: boolean; json?: boolean },
): Promise<number> {
  const { cliRuntime, uninstaller } = io.layout;
  const options = [...(purge ? ['--purge'] : []), ...(force ? ['--force'] : [])];
  if (io.uid !== 0)
    throw new CliError(
      `only root removes tuntapd: ${commandLine('sudo', ['tuntapctl', 'uninstall', ...options])}`,
    );
  for (const path of [cliRuntime, uninstaller])
    await access(path).catch(async (error: unknown) => {
      const fix = await installFix(io.layout);
      throw new CliError(
        `${path} cannot be read, and without it tuntapd is not removed. Install it again first: ${fix}`,
        undefined,
        { cause: error },
      );
    });
  return io.inForeground(cliRuntime, [uninstaller, 'tuntapctl', ...options, ...(json ? ['--json'] : [])]);
}
