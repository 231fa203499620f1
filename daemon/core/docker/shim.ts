/** The shim in front of hyperkit, by which Docker's next VM gets our NIC. Pure. */
import type { ReasonOf } from '../../api/reasons/registry.js';
import { failed, type Judge, no, unclear, type Verdict, yes } from '../condition.js';
import type { Judgement } from '../judgement.js';
import { type Bundle, type Bundles, valueOf } from '../observation.js';
import type { Notice, Step } from '../steps.js';
import { awaitsLaunch } from './first-launch.js';
import { judgeInstall, judgeRestore } from './hyperkit.js';

const restoring = (hyperkit: string, why: string): Step => ({
  kind: 'restore-hyperkit',
  key: `restore ${hyperkit}`,
  why,
  hyperkit,
});

/**
 * Of another Docker than the one whose hyperkit was put aside: whoever updated it has not asked for what happens now. The
 * same one has only been tried before.
 */
function noticeOf(
  { config, observation }: Judgement,
  { app, version, target, saved }: Bundle,
): Notice | null {
  const user = valueOf(observation.consoleUser);
  if (!config.notifications || user === null || saved === null || target.kind !== 'mach-o') return null;
  if (saved.sha256 === target.sha256 && saved.version === version) return null;
  const docker = version === null ? 'Docker' : `Docker ${version}`;
  return { user, text: `${docker} has tuntapd’s script before its hyperkit again, in ${app}` };
}

/** Puts it in place wherever it is not, but in no bundle that is being replaced. */
export function shimSteps(judgement: Judgement): Step[] {
  const { config, observation, memory } = judgement;
  if (!config.shim.manage) return [];
  const { withHyperkit = [], replacing = [] } = valueOf(observation.bundles) ?? {};
  return withHyperkit.flatMap((bundle): Step[] => {
    const { app, hyperkit, identity } = bundle;
    if (replacing.some((other) => other.app === app) || awaitsLaunch(observation, memory.launched, bundle))
      return [];
    const verdict = judgeInstall(bundle);
    if (verdict.kind !== 'change') return [];
    const key = `shim ${hyperkit} ${identity ?? ''}`;
    const notice = noticeOf(judgement, bundle);
    return [{ kind: 'install-shim', key, why: verdict.why, hyperkit, notice }];
  });
}

/**
 * Gives hyperkit back; also where it cannot be done (yet): whoever waits for hyperkit must be told. The step also strikes
 * out of the journal a hyperkit that is Docker's own again.
 */
export function restoreSteps({ observation, memory }: Judgement): Step[] {
  const { withHyperkit = [], outOfReach = [], replacing = [] } = valueOf(observation.bundles) ?? {};
  const isRemembered = ({ app, target, saved }: Bundle): boolean =>
    target.kind === 'mach-o' && saved !== null && replacing.every((other) => other.app !== app);
  const changed = withHyperkit.filter(
    (bundle) => judgeRestore(bundle).kind !== 'done' || isRemembered(bundle),
  );
  const why = memory.wanted === 'removed' ? 'tuntapd is being removed' : 'a person asked for it';
  return [...changed.map(({ hyperkit }) => hyperkit), ...outOfReach].map((hyperkit) =>
    restoring(hyperkit, why),
  );
}

/** Gives hyperkit back where it has a shim of ours that this link has no use for, and no bundle is being replaced. */
export function withdrawSteps({ config, observation }: Judgement): Step[] {
  if (!config.shim.manage) return [];
  const { withHyperkit = [], replacing = [] } = valueOf(observation.bundles) ?? {};
  const isOurs = ({ target, saved }: Bundle): boolean =>
    saved !== null || target.kind === 'shim' || target.kind === 'outdated-shim';
  const isDue = (bundle: Bundle): boolean => {
    const { kind } = judgeRestore(bundle);
    // Docker's own hyperkit, with nothing beside it, is struck out of the journal.
    return kind === 'change' || (kind === 'done' && bundle.target.kind === 'mach-o');
  };
  return withHyperkit
    .filter((bundle) => isOurs(bundle) && isDue(bundle))
    .filter(({ app }) => replacing.every((other) => other.app !== app))
    .map(({ hyperkit }) =>
      restoring(hyperkit, 'Docker’s VM does not run by hyperkit, so nothing has to stand before it'),
    );
}

function bundleTrouble(bundle: Bundle): Verdict<ReasonOf<'Shim'>> | null {
  const verdict = judgeInstall(bundle);
  switch (verdict.kind) {
    case 'done':
      return null;
    case 'change':
      return bundle.target.kind === 'shim'
        ? null
        : no('NotInstalled', `${bundle.hyperkit} has no current shim (${bundle.target.kind})`);
    case 'wait':
      return no('BeingWritten', verdict.why);
    case 'blocked':
      return no(verdict.reason, verdict.why);
  }
}

/** What is wrong with each Docker.app. */
function bundleTroubles(
  { withHyperkit, refused, replacing }: Bundles,
  { observation, memory }: Judgement,
): readonly { readonly app: string; readonly verdict: Verdict<ReasonOf<'Shim'>> }[] {
  return [
    ...replacing.map(({ app, why }) => ({ app, verdict: no('BeingReplaced', why) })),
    ...refused.map(({ app, why, unseen = false }) => ({
      app,
      verdict: unseen ? unclear(why, 'DoesNotAnswer') : no('Refused', `${app} is left alone: ${why}`),
    })),
    ...withHyperkit.flatMap((bundle) => {
      const { app } = bundle;
      const verdict = awaitsLaunch(observation, memory.launched, bundle)
        ? no(
            'NotLaunched',
            `${app} has not been opened yet since it was installed, and macOS 13 and newer start no changed app for the first time: open Docker once, the rest is done then`,
          )
        : bundleTrouble(bundle);
      return verdict ? [{ app, verdict }] : [];
    }),
  ];
}

export const shim: Judge<'Shim'> = (judgement, failures) => {
  const { config, observation, memory, link } = judgement;
  const { bundles } = observation;
  if (!config.shim.manage) return yes('NotManaged', 'shim.manage is false: hyperkit is left as it is');
  if (memory.wanted === 'removed') return no('Removed', 'tuntapd is being removed');
  const failure = failed('Shim', failures);
  if (failure) return failure;
  if (!bundles.known) return unclear(bundles.why);
  if (memory.wanted === 'restored')
    return no('Restored', 'hyperkit is as Docker shipped it, as asked; `tuntapctl up` puts the shim back');
  const { withHyperkit, without } = bundles.value;
  const troubles = bundleTroubles(bundles.value, judgement);
  // With the link up the Docker.app counts whose VM has it; what is wrong with another one is only told.
  const executable = link.vm?.executable;
  const running = withHyperkit.find(({ app }) => executable?.startsWith(`${app}/`))?.app;
  const trouble = troubles.find(({ app }) => running === undefined || app === running);
  if (trouble) return trouble.verdict;
  if (withHyperkit.length > 0) {
    const shimmed = withHyperkit.filter(({ app }) => !troubles.some((other) => other.app === app));
    return yes(
      'Installed',
      [
        shimmed.map(({ hyperkit }) => hyperkit).join(', '),
        ...troubles.map(({ verdict }) => verdict.message),
      ].join('; '),
    );
  }
  return without[0]
    ? no(
        'NoHyperkit',
        `${without[0].app} has no hyperkit: this Docker Desktop runs its VM by the Virtualization framework, which cannot be given a tap. Use an Intel Mac and a Docker Desktop that offers HyperKit`,
      )
    : no('NoDocker', 'no Docker.app in /Applications or ~/Applications; set docker.app if it is elsewhere');
};
