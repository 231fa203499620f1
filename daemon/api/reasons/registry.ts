/**
 * The registry of reasons: every reason that a condition can have, with what it means and what to do about it. What is
 * not here does not compile. Status, doctor, notifications and docs/troubleshooting.md are made from it.
 */
import { configuration } from './configuration.js';
import { consoleUser } from './console-user.js';
import { dataPath } from './data-path.js';
import { engine } from './engine.js';
import { guest } from './guest.js';
import { ipv6 } from './ipv6.js';
import { names } from './names.js';
import { ready } from './ready.js';
import { type ConditionType, conditionTypes, type ReasonRecord, type Topic } from './record.js';
import { routes } from './routes.js';
import { shim } from './shim.js';
import { tapAddress } from './tap-address.js';
import { tapAttached } from './tap-attached.js';
import { tapDevice } from './tap-device.js';
import { virtualMachine } from './virtual-machine.js';

const topics = {
  Configuration: configuration,
  ConsoleUser: consoleUser,
  TapDevice: tapDevice,
  Shim: shim,
  VirtualMachine: virtualMachine,
  TapAttached: tapAttached,
  TapAddress: tapAddress,
  Engine: engine,
  Guest: guest,
  Routes: routes,
  DataPath: dataPath,
  Names: names,
  Ipv6: ipv6,
  Ready: ready,
} as const satisfies Readonly<Record<ConditionType, Topic>>;

type Reasons = { readonly [T in ConditionType]: keyof (typeof topics)[T]['reasons'] };

/** A reason that a condition of this type can give. CamelCase, for programs: no name ever changes. */
export type ReasonOf<T extends ConditionType> = Reasons[T];

export type Reason = Reasons[ConditionType];

/** A reason of one condition, with all that is known of it. */
export interface Entry extends ReasonRecord {
  readonly type: ConditionType;
  readonly reason: Reason;
  readonly dependsOn: readonly ConditionType[];
}

const topicOf = (type: string): Topic | undefined =>
  Object.hasOwn(topics, type) ? topics[type as ConditionType] : undefined;

/** Doctor's number and question for a condition; undefined for one that only a newer daemon knows. */
export const questionOf = (type: string): Pick<Topic, 'code' | 'question'> | undefined => topicOf(type);

/** The record of a reason that this very condition has of its own; undefined where there is none. */
export function entryOf(type: string, reason: string): Entry | undefined {
  const topic = topicOf(type);
  const record = topic && Object.hasOwn(topic.reasons, reason) ? topic.reasons[reason] : undefined;
  if (!topic || !record) return undefined;
  const { dependsOn = [] } = topic;
  return { type: type as ConditionType, reason: reason as Reason, dependsOn, ...record };
}

/** The record that explains a condition: its own, or, for the summary, that of the reason which it quotes. */
export const explanationOf = (type: string, reason: string): Entry | undefined =>
  entryOf(type, reason) ?? (type === 'Ready' ? registry.find((entry) => entry.reason === reason) : undefined);

/** Every record, by condition and in the order in which its page tells them. */
export const registry: readonly Entry[] = conditionTypes.flatMap((type) =>
  Object.keys(topics[type].reasons).flatMap((reason) => entryOf(type, reason) ?? []),
);
