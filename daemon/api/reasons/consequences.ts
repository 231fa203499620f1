/** Which conditions are causes and which mere consequences, by what the registry says that they depend on. Pure. */
import { ready } from './ready.js';
import { entryOf } from './registry.js';

/** As much of a condition as is looked at. What only a newer daemon knows depends on nothing. */
interface Told {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

const isUnmet = ({ status }: Told): boolean => status !== 'True';

/** Those that are not True, and with which this one goes away. */
export function causesIn<C extends Told>({ type, reason }: Told, conditions: readonly C[]): readonly C[] {
  const dependsOn: readonly string[] = entryOf(type, reason)?.dependsOn ?? [];
  return conditions.filter((other) => isUnmet(other) && dependsOn.includes(other.type));
}

/** Whether something that it depends on is not True either; the summary depends on whatever it quotes, too. */
function isConsequence(condition: Told, conditions: readonly Told[]): boolean {
  const isQuoted = ({ type, message }: Told): boolean =>
    condition.type === 'Ready' && type !== 'Ready' && message === condition.message;
  return (
    causesIn(condition, conditions).length > 0 ||
    conditions.some((other) => isUnmet(other) && isQuoted(other))
  );
}

/** What a person is shown: everything that is True, and of the rest the causes. */
export const withoutConsequences = <C extends Told>(conditions: readonly C[]): readonly C[] =>
  conditions.filter((condition) => !isUnmet(condition) || !isConsequence(condition, conditions));

/** The condition because of which Ready is not True; null where none is, or nothing is wrong. */
export function causeOf<C extends Told>(conditions: readonly C[]): C | null {
  const causes = withoutConsequences(conditions.filter(isUnmet)).filter(
    ({ type, reason }) => entryOf(type, reason)?.severity !== 'idle',
  );
  const inOrder = ready.dependsOn.flatMap((wanted) => causes.filter(({ type }) => type === wanted));
  const [first = null] = inOrder;
  if (first?.type === 'Configuration') return first;
  return inOrder.find(({ type, reason }) => entryOf(type, reason)?.isTerminal === true) ?? first;
}
