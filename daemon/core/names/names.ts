/** Names of containers: what is answered, the resolver file that leads there, and what is told of both. Pure. */
import { failed, type Judge, no, unclear, yes } from '../condition.js';
import type { Config } from '../../../config/schema.js';
import type { Judgement, Look } from '../judgement.js';
import type { Memory } from '../memory.js';
import type { Container } from '../observation.js';
import { parsePrefix } from '../../lib/prefix.js';
import type { RouteVerdict } from '../routes/verdicts.js';
import type { Step } from '../steps.js';
import { resolverText } from '../../lib/resolver-text.js';
import type { Work } from '../../lib/work.js';
import type { ResolverFolder } from './observation.js';
import { makeZone, type Zone } from './zone.js';

/** `off`: nobody wants names. `unknown`: what containers there are nobody knows now, so what was known stays. */
export type NamesVerdict =
  | { readonly state: 'off' }
  | { readonly state: 'unknown' }
  | { readonly state: 'known'; readonly zone: Zone };

/** The names that a list of containers had last: of thousands they take a while, and most looks see the same list. */
const lastOf = new WeakMap<readonly Container[], { readonly by: string; readonly names: Zone }>();

function* namesOf(
  zone: string,
  containers: readonly Container[],
  routes: readonly RouteVerdict[],
): Work<Zone> {
  const routed = routes.filter(({ state }) => state === 'routed');
  const by = [zone, ...routed.map(({ network, subnet }) => `${network} ${subnet}`)].join('\n');
  const last = lastOf.get(containers);
  if (last?.by === by) return last.names;
  const names = yield* makeZone(zone, containers, routed, parsePrefix);
  lastOf.set(containers, { by, names });
  return names;
}

/** Which names there are to be, by what is routed. Without a VM that has the link there are none, and that is known. */
export function* judgeNames(
  { names: { manage, zone } }: Config,
  { observation: { engine, configuration, routes: table }, link }: Look,
  memory: Memory,
  routes: readonly RouteVerdict[],
): Work<NamesVerdict> {
  if (!manage || !configuration.inForce || memory.wanted !== 'up' || memory.lowered) return { state: 'off' };
  if (!engine.known) return { state: 'unknown' };
  if (engine.value === null || link.kind === 'absent')
    return { state: 'known', zone: { zone, names: [], problems: [] } };
  const { containers, isProvisional } = engine.value;
  if (!containers.known || isProvisional === true) return { state: 'unknown' };
  // What is not seen to be routed may well be.
  if (!table.known) return { state: 'unknown' };
  return { state: 'known', zone: yield* namesOf(zone, containers.value, routes) };
}

/** What is to be known of the containers: their aliases are names too. Nothing before they can be reached. */
export function neededOfContainers({ probe, names }: Judgement): 'nothing' | 'addresses' | 'aliases' {
  if (!probe) return 'nothing';
  return names.state === 'off' ? 'addresses' : 'aliases';
}

/** The text that the zone's file is to have; null: there is to be none; undefined: whatever it has, for now. */
function wantedText({ names, observation }: Judgement): string | null | undefined {
  if (names.state === 'off') return null;
  const { server } = observation.names;
  if (server.state === 'serving') return resolverText(server.port);
  return server.state === 'failed' ? null : undefined;
}

/** Why a file of ours goes; null: it stays, or its next text takes its place. */
function whyRemoved(
  { name, has }: { readonly name: string; readonly has: string },
  { zone, text, folder }: { zone: string; text: string | null | undefined; folder: ResolverFolder },
): string | null {
  if (name !== zone) return 'names are in another zone by now';
  if (text === null) return 'no server answers for it';
  if (folder.foreign !== null) return 'another file is for this zone, too';
  // Nothing new is put into a folder of somebody else's.
  return folder.distrust !== null && text !== undefined && has !== text ? 'no server answers there' : null;
}

/** What leads to a server that answers is put there, and what leads elsewhere goes. Whatever is not ours stays. */
export function namesSteps(judgement: Judgement): Step[] {
  const { config, memory, observation } = judgement;
  const { folder } = observation.names;
  if (!folder.known) return [];
  const { ours, foreign, distrust } = folder.value;
  const { zone } = config.names;
  const text = wantedText(judgement);
  const steps = Object.entries(ours).flatMap(([name, has]): Step[] => {
    const why = whyRemoved({ name, has }, { zone, text, folder: folder.value });
    const withFolder = memory.wanted === 'removed' && distrust === null;
    return why === null
      ? []
      : [{ kind: 'remove-resolver', key: `resolver ${name}`, why, zone: name, withFolder }];
  });
  if (typeof text === 'string' && foreign === null && distrust === null && ours[zone] !== text)
    steps.push({
      kind: 'write-resolver',
      key: `resolver ${zone}`,
      why: 'the server answers',
      zone,
      text,
    });
  return steps;
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? '' : 's'}`;

export const names: Judge<'Names'> = (judgement, failures) => {
  const { config, observation, names: verdict } = judgement;
  const { manage, zone } = config.names;
  const { server, folder, taken } = observation.names;
  if (!manage) return yes('NotManaged', 'names.manage is false: containers have no names here');
  if (verdict.state === 'off') return no('Down', 'no names while the link is to be down');
  if (!folder.known) return unclear(folder.why);
  if (folder.value.distrust !== null)
    return no(
      'FolderForeign',
      `/etc/resolver ${folder.value.distrust}, so ${
        folder.value.ours[zone] === undefined
          ? `macOS is not told who knows the names of ${zone}`
          : 'somebody else decides who macOS is told knows the names there'
      }`,
    );
  if (folder.value.foreign !== null) return no('FileForeign', `${folder.value.foreign}, and stays as it is`);
  const failure = failed('Names', failures);
  if (failure) return failure;
  if (server.state === 'failed') return no('NotServed', server.why);
  if (server.state !== 'serving' || folder.value.ours[zone] === undefined)
    return no('Starting', 'the server of the names is about to answer');
  if (!taken.known) return unclear(taken.why);
  if (taken.value === null)
    return no(
      'NotTaken',
      `macOS does not ask the server for ${zone}, although /etc/resolver/${zone} names it: scutil --dns shows no such resolver`,
    );
  if (verdict.state === 'unknown')
    return unclear(
      observation.routes.known
        ? 'which containers run is not known now'
        : 'which networks are routed is not known now',
    );
  const { problems, names: list } = verdict.zone;
  const answered = `${count(list.length, 'name')} below ${zone}`;
  const [problem] = problems;
  if (problem !== undefined)
    return yes(
      'Ambiguous',
      `${answered}; ${problem}${problems.length > 1 ? ` (and ${problems.length - 1} more: tuntapctl names)` : ''}`,
    );
  return taken.value.isOffline
    ? yes('Answering', answered)
    : yes('NetworkNeeded', `${answered}, while this Mac has a network`);
};
