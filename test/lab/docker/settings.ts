/**
 * Docker Desktop's settings of a user, as its own process has them: read when it starts, and written again when it ends,
 * so that an edit meanwhile is lost. From 4.35 on settings-store.json, which holds only what is not the default; before,
 * settings.json, whose keys begin small.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Settings {
  readonly kernelForUdp: boolean;
  /** False is HyperKit, where the bundle has it. */
  readonly virtualizationFramework: boolean;
  /** Docker VMM, which is Apple silicon's alone. */
  readonly dockerVmm: boolean;
  readonly write: () => void;
}

const numbers = (version: string): number[] => version.split('.').map(Number);

/** Whether a Docker of that version is at least 4.`minor`. */
export const isAtLeast = (version: string, minor: number): boolean => {
  const [major = 0, own = 0] = numbers(version);
  return major > 4 ? major < 10 : major === 4 && own >= minor;
};

export function readSettings(home: string, version: string): Settings {
  const hasStore = isAtLeast(version, 35);
  const file = join(
    home,
    'Library/Group Containers/group.com.docker',
    hasStore ? 'settings-store.json' : 'settings.json',
  );
  let text: string | null = null;
  let values: Record<string, unknown> = {};
  try {
    text = readFileSync(file, 'utf8');
    values = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Docker begins with its defaults.
  }
  const valueOf = (key: string): unknown =>
    values[hasStore ? key : `${key.charAt(0).toLowerCase()}${key.slice(1)}`];
  return {
    kernelForUdp: valueOf('KernelForUDP') === true,
    virtualizationFramework: valueOf('UseVirtualizationFramework') !== false,
    dockerVmm: valueOf('UseLibkrun') === true,
    write: () => {
      if (text === null) return;
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    },
  };
}
