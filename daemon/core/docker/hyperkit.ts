/**
 * All judgement of hyperkit's two files (its own path, and the same + `.original`): what installing and giving back
 * have to do in every state that a crash, an updater or a person can leave. Pure. Plan asks it whether a step is
 * needed, conditions ask it what to tell, and the child in the bundle asks it what to do.
 *
 * A complete Mach-O at hyperkit's own path is Docker's: tuntapd puts nothing but scripts there, and gives the original
 * back by renaming it, which leaves none beside it. So of two different ones that at hyperkit's path is what Docker
 * put there last, whatever their times say (an updater keeps the times of the build).
 */
import type { ReasonOf } from '../../api/reasons/registry.js';
import type { Bundle, HyperkitFile } from '../observation.js';

/** As much of a bundle as the judgement needs. */
export type HyperkitFiles = Pick<Bundle, 'hyperkit' | 'target' | 'original' | 'saved' | 'leftovers'>;

export type Verdict<Change> =
  | { readonly kind: 'done' }
  | { readonly kind: 'change'; readonly change: Change; readonly why: string }
  /** Somebody is writing: it passes by itself, or a later look finds it as it is. */
  | { readonly kind: 'wait'; readonly why: string }
  /** Only a person can help. */
  | { readonly kind: 'blocked'; readonly reason: ReasonOf<'Shim'>; readonly why: string };

/** What installing does; `record` only journals the original, `clean` only removes leftovers of a crash. */
export type InstallChange = 'shim-over-target' | 'shim-over-original' | 'record' | 'clean';

export type RestoreChange = 'give-back' | 'drop-original' | 'clean';

const done = { kind: 'done' } as const;
const change = <Change>(what: Change, why: string): Verdict<Change> => ({
  kind: 'change',
  change: what,
  why,
});
const wait = (path: string): Verdict<never> => ({
  kind: 'wait',
  why: `${path} is not complete: Docker is being updated, or a copy broke off. If it stays so, reinstall Docker Desktop`,
});
const blocked = (reason: ReasonOf<'Shim'>, why: string): Verdict<never> => ({ kind: 'blocked', reason, why });

const is = (file: HyperkitFile, ...kinds: readonly HyperkitFile['kind'][]): boolean =>
  kinds.includes(file.kind);

const originalOf = (hyperkit: string): string => `${hyperkit}.original`;

function originalMissing({ hyperkit, original, saved }: HyperkitFiles): Verdict<never> {
  const what = is(original, 'missing') ? 'missing' : `no hyperkit (${original.kind}: ${original.detail})`;
  const version = saved?.version ? ` ${saved.version}` : '';
  return blocked(
    'OriginalMissing',
    `${originalOf(hyperkit)} is ${what}: Docker cannot start its VM. Reinstall Docker Desktop${version}; tuntapd keeps no copy of hyperkit`,
  );
}

const leftAlone = ({ hyperkit, target }: HyperkitFiles): Verdict<never> =>
  blocked(
    'Refused',
    `${hyperkit} is left alone: ${target.detail}. Reinstall Docker Desktop to let tuntapd in`,
  );

/** What has to be done so that the shim stands at hyperkit's path with its original beside it. */
export function judgeInstall(files: HyperkitFiles): Verdict<InstallChange> {
  const { hyperkit, target, original, saved, leftovers } = files;
  switch (target.kind) {
    case 'mach-o':
      if (is(original, 'foreign-script', 'refused', 'unrecognised'))
        return blocked(
          'OriginalTaken',
          `${originalOf(hyperkit)} is not of tuntapd’s making (${original.detail}) and is left alone; move it away to let tuntapd in`,
        );
      return change(
        'shim-over-target',
        is(original, 'mach-o') ? 'hyperkit was replaced by another version' : 'hyperkit has no shim yet',
      );
    case 'shim':
    case 'outdated-shim':
    case 'docker-tuntap-osx-shim':
    case 'missing':
      if (is(original, 'incomplete')) return wait(originalOf(hyperkit));
      if (!is(original, 'mach-o')) return originalMissing(files);
      if (is(target, 'missing'))
        return change('shim-over-original', 'hyperkit is missing beside its original');
      if (is(target, 'outdated-shim'))
        return change('shim-over-original', 'the shim is of another version or configuration');
      if (is(target, 'docker-tuntap-osx-shim'))
        return change('shim-over-original', 'docker-tuntap-osx’s shim is taken over');
      if (saved?.sha256 !== original.sha256)
        return change('record', saved ? 'the original was replaced' : 'the original is not journalled');
      return leftovers ? change('clean', 'an interrupted change left a file behind') : done;
    case 'foreign-script':
      return blocked(
        'ForeignScript',
        `${hyperkit} is somebody else’s script (${target.detail}); it is left alone. Reinstall Docker Desktop to let tuntapd in`,
      );
    case 'incomplete':
      return wait(hyperkit);
    case 'refused':
    case 'unrecognised':
      return leftAlone(files);
  }
}

/** What has to be done so that hyperkit is what Docker put there, with nothing of ours beside it. */
export function judgeRestore(files: HyperkitFiles): Verdict<RestoreChange> {
  const { hyperkit, target, original, leftovers } = files;
  const rest: Verdict<RestoreChange> = leftovers
    ? change('clean', 'an interrupted change left a file behind')
    : done;
  switch (target.kind) {
    case 'mach-o':
      return is(original, 'mach-o', 'incomplete', 'shim', 'outdated-shim')
        ? change('drop-original', 'a saved original lies beside a newer hyperkit')
        : rest;
    case 'shim':
    case 'outdated-shim':
    case 'missing':
      if (is(original, 'mach-o')) return change('give-back', 'the shim stands in hyperkit’s place');
      if (is(original, 'incomplete')) return wait(originalOf(hyperkit));
      return is(target, 'missing') ? rest : originalMissing(files);
    case 'incomplete':
      return is(original, 'mach-o', 'incomplete') ? wait(hyperkit) : rest;
    case 'refused':
    case 'unrecognised':
      return is(original, 'mach-o') ? leftAlone(files) : rest;
    case 'foreign-script':
    case 'docker-tuntap-osx-shim':
      return rest;
  }
}
