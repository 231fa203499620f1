import { run, type Run } from '../lib/command.js';
import { type MacosVersion, type Seen, seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';

/** Parses `10.15.7`, `13.4` or `14`; null for anything else. */
export function parseMacosVersion(text: string): MacosVersion | null {
  const match = /^(\d+)(?:\.(\d+))?(?:\.\d+)*$/.exec(text.trim());
  return match ? { major: Number(match[1]), minor: Number(match[2] ?? 0) } : null;
}

/** The release of macOS. */
export async function macosVersion(command: Run = run): Promise<Seen<MacosVersion>> {
  try {
    const { stdout, stderr } = await command('/usr/bin/sw_vers', ['-productVersion']);
    const version = parseMacosVersion(stdout);
    return version ? seen(version) : unknown(`sw_vers: ${plain(stderr || stdout)}`);
  } catch (error) {
    return unknown(messageOf(error));
  }
}
