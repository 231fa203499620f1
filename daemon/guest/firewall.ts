/**
 * The VM's firewall rules of ours, by the iptables of dockerd's own mount namespace: the one (legacy or nft) that matches
 * dockerd's own rules. A rule is ours by its comment. Ours stand first in their chain, in their order and once: what
 * comes before them could refuse what they accept.
 */
import { type Family, isIpv6 } from '../lib/prefix.js';
import { StepError } from '../core/steps.js';
import { plain } from '../lib/text.js';
import { AgentError, type Conversation, type Ran } from './agent/conversation.js';

/** A chain of iptables. */
export interface Chain {
  readonly table: 'raw' | 'filter';
  readonly chain: string;
}

const mark: readonly string[] = ['-m', 'comment', '--comment', 'tuntapd'];

/** Accepts what comes in by our NIC, of one address alone where one is named; in the order of `iptables -S`. */
export const accept = (nic: string, source?: string): readonly string[] => [
  ...(source === undefined ? [] : ['-s', `${source}/${isIpv6(source) ? 128 : 32}`]),
  '-i',
  nic,
  ...mark,
  '-j',
  'ACCEPT',
];
/** Drops what comes in by our NIC and would leave the VM by `way`: vpnkit would hand it to the Mac, which routes it here. */
export const close = (nic: string, way: string): readonly string[] => [
  '-i',
  nic,
  '-o',
  way,
  ...mark,
  '-j',
  'DROP',
];

/** What `iptables -S CHAIN` prints of a chain: its rules in order, comments without quotation marks. Pure. */
export function rulesIn(listing: string, chain: string): readonly string[] {
  const prefix = `-A ${chain} `;
  return listing
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => line.slice(prefix.length).replaceAll('--comment "tuntapd"', '--comment tuntapd').trim());
}

const isOurs = (rule: string): boolean => `${rule} `.includes(' --comment tuntapd ');

/** The numbers of our rules (from 1), the last one first, so that deleting one moves none of the others. Pure. */
const numbersOf = (rules: readonly string[]): readonly number[] =>
  rules.flatMap((rule, at) => (isOurs(rule) ? [at + 1] : [])).toReversed();

export interface ChainChange {
  /** Rules to insert from the first place on. */
  readonly insert: readonly (readonly string[])[];
  /** Numbers to delete afterwards, in this order. */
  readonly remove: readonly number[];
}

/** What has to be done so that a chain begins with the wanted rules and holds no others of ours. Pure. */
export function changeOf(rules: readonly string[], wanted: readonly (readonly string[])[]): ChainChange {
  const ours = rules.filter(isOurs);
  const texts = wanted.map((rule) => rule.join(' '));
  const isSo = ours.length === texts.length && texts.every((rule, at) => rules[at] === rule);
  if (isSo) return { insert: [], remove: [] };
  return { insert: wanted, remove: numbersOf(rules).map((number) => number + wanted.length) };
}

/** iptables waits for its lock so many seconds. */
const lockSeconds = 5;
const timeout = 15_000;

/** Where dockerd looks for programs there is none: nobody can have made a rule with it. */
export class IptablesMissing extends StepError {
  constructor(program: string) {
    super(`dockerd’s own root in the VM has no ${program}`, { condition: 'Guest', reason: 'GuestRefused' });
  }
}

/** Runs dockerd's iptables. */
export type Iptables = (table: Chain['table'], words: readonly string[]) => Promise<Ran>;

/** The program that has the rules of a family, whose words are the same. */
const programOf: Readonly<Record<Family, string>> = { 4: 'iptables', 6: 'ip6tables' };

/** dockerd's own iptables: the first one on its PATH. Rejects with IptablesMissing where it has none. */
export function iptablesOf(
  agent: Conversation,
  { pid, folders }: { readonly pid: number; readonly folders: readonly string[] },
  family: Family = 4,
): Iptables {
  let rest = folders;
  return async (table, words) => {
    for (;;) {
      const [folder] = rest;
      if (folder === undefined) throw new IptablesMissing(programOf[family]);
      try {
        return await agent.run(
          pid,
          [`${folder}/${programOf[family]}`, '-w', String(lockSeconds), '-t', table, ...words],
          {
            environment: [`PATH=${folders.join(':')}`],
            timeout,
          },
        );
      } catch (error) {
        const isMissing = error instanceof AgentError && error.what === 'exec' && error.code === 'ENOENT';
        if (!isMissing) throw error;
        rest = rest.slice(1);
      }
    }
  };
}

async function must(iptables: Iptables, table: Chain['table'], words: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await iptables(table, words);
  if (exitCode !== 0)
    throw new StepError(`iptables -t ${table} ${words.join(' ')}: ${plain(stderr || stdout)}`, {
      condition: 'Guest',
      reason: 'GuestRefused',
    });
}

/** The rules of a chain, or why there are none to be had. */
export async function listChain(
  iptables: Iptables,
  { table, chain }: Chain,
): Promise<readonly string[] | { readonly refused: string }> {
  const { exitCode, stdout, stderr } = await iptables(table, ['-S', chain]);
  return exitCode === 0 ? rulesIn(stdout, chain) : { refused: plain(stderr || stdout) };
}

/** Applies a change; new rules are there before old ones go. Rejects with StepError `GuestRefused`. */
export async function changeChain(
  iptables: Iptables,
  { table, chain }: Chain,
  { insert, remove }: ChainChange,
): Promise<void> {
  for (const [at, rule] of insert.entries())
    await must(iptables, table, ['-I', chain, String(at + 1), ...rule]);
  for (const number of remove) await must(iptables, table, ['-D', chain, String(number)]);
}
