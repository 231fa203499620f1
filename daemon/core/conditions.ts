/**
 * What everybody reads afterwards: a fixed list of conditions, a view of what was seen and of how the steps went, and
 * the one word that sums them up. Pure.
 */
import { type ConditionType, conditionTypes } from '../api/reasons/record.js';
import { entryOf } from '../api/reasons/registry.js';
import {
  type Failure,
  type Finding,
  type Judge,
  no,
  type Phase,
  unclear,
  type Verdict,
  yes,
} from './condition.js';
import { dataPath } from './data-path.js';
import { engine } from './docker/engine.js';
import { virtualMachine } from './docker/virtual-machine.js';
import { guest } from './guest.js';
import { ipv6 } from './ipv6.js';
import type { Judgement } from './judgement.js';
import type { LinkMaker, MakersCondition } from './link/maker.js';
import type { Memory } from './memory.js';
import { names } from './names/names.js';
import { routes } from './routes/routes.js';

const configuration: Judge<'Configuration'> = ({ observation: { configuration: found } }) => {
  const { problem, inForce } = found;
  if (problem === null) return yes('Valid', 'in force');
  return no(
    'Invalid',
    inForce
      ? `${problem}; tuntapd keeps the configuration it had`
      : `${problem}; tuntapd does nothing until that is fixed`,
  );
};

const consoleUser: Judge<'ConsoleUser'> = ({ observation: { consoleUser: user } }) => {
  if (!user.known) return unclear(user.why);
  return user.value
    ? yes('LoggedIn', `${user.value.name} (uid ${user.value.uid})`)
    : no('NobodyLoggedIn', 'nobody is logged in; nothing to do until then');
};

const judges: { readonly [T in Exclude<ConditionType, MakersCondition | 'Ready'>]: Judge<T> } = {
  Configuration: configuration,
  ConsoleUser: consoleUser,
  VirtualMachine: virtualMachine,
  Engine: engine,
  Guest: guest,
  Routes: routes,
  DataPath: dataPath,
  Names: names,
  Ipv6: ipv6,
};

const link: readonly ConditionType[] = ['TapAttached', 'TapAddress', 'Engine', 'Guest', 'Routes', 'DataPath'];
/** What keeps a Mac from ever getting there, VM or not. */
const ground: readonly ConditionType[] = ['TapDevice', 'Shim'];

const isTerminal = ({ type, reason }: Finding): boolean => entryOf(type, reason)?.isTerminal ?? false;

interface Summary {
  readonly phase: Phase;
  readonly verdict: Verdict;
}

/** What is wrong decides, in its own words. */
const because = (phase: Phase, { reason, message }: Finding | Failure): Summary => ({
  phase,
  verdict: no(reason, message),
});

function phaseOf(memory: Memory, findings: readonly Finding[], all: readonly Failure[]): Summary {
  // IPv6 that fails takes nothing from what IPv4 does; only what is to be down must be so by both.
  const failures = memory.wanted === 'up' ? all.filter(({ condition }) => condition !== 'Ipv6') : all;
  const of = (wanted: ConditionType): Finding | undefined => findings.find(({ type }) => type === wanted);
  const bad = (types: readonly ConditionType[]): Finding | undefined =>
    findings.find(({ type, status }) => types.includes(type) && status !== 'True');
  const vm = of('VirtualMachine');
  const isRunning = vm?.status === 'True';
  const configured = of('Configuration');
  if (configured?.reason === 'Invalid') return because('blocked', configured);
  const deadEnd = memory.wanted === 'up' ? findings.find(isTerminal) : undefined;
  const blocked = failures.find((failure) => failure.blocked);
  if (blocked && !deadEnd) return because('blocked', blocked);
  const [failure] = failures;
  if (memory.wanted !== 'up')
    return failure
      ? because('degraded', failure)
      : { phase: 'down', verdict: no('Down', 'taken down; `tuntapctl up` brings it back') };
  const user = of('ConsoleUser');
  // A VM of somebody who is logged in behind the login window goes on.
  if (user && user.status !== 'True' && !isRunning)
    return user.status === 'False'
      ? { phase: 'idle', verdict: no('Idle', 'nobody is logged in') }
      : because('working', user);
  const trouble = deadEnd ?? bad(ground) ?? (isRunning ? bad(link) : undefined);
  if (trouble) {
    const severity = entryOf(trouble.type, trouble.reason)?.severity;
    if (severity === 'persistent') return because('blocked', trouble);
    return because(!failure && severity === 'transient' ? 'working' : 'degraded', trouble);
  }
  // Of a step that no condition is about, as of opening Docker again, too.
  if (failure) return because('degraded', failure);
  if (vm?.status === 'Unknown') return because('working', vm);
  if (!isRunning) return { phase: 'idle', verdict: no('Idle', 'Docker’s VM does not run') };
  const routed = of('Routes');
  const what =
    routed?.reason === 'Set'
      ? 'containers answer on their own addresses'
      : `the link is set up; ${routed?.message ?? ''}`;
  return { phase: 'ready', verdict: yes('Ready', what) };
}

/** Every condition, in the order of `conditionTypes` (record.ts), and the one word that sums them up. */
export function judgeConditions(
  maker: LinkMaker,
  judgement: Judgement,
  failures: readonly Failure[],
): { readonly phase: Phase; readonly findings: readonly Finding[] } {
  const all = { ...judges, ...maker.judges };
  const findings = conditionTypes.flatMap((type) =>
    type === 'Ready' ? [] : [{ type, ...all[type](judgement, failures) }],
  );
  const { phase, verdict } = phaseOf(judgement.memory, findings, failures);
  return { phase, findings: [...findings, { type: 'Ready', ...verdict }] };
}
