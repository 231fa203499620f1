/** ifconfig's inet6: the forms of af_inet6.c that set addresses, and its lines. */
import { number6, text6, zoned } from '../../mac/xnu/inet6.js';
import type { Interface } from '../../mac/xnu/table.js';
import type { IfconfigAction } from '../../mac/xnu/xnu.js';
import type { Link6Told } from '../../mac/xnu/xnu6.js';
import { Failure } from './failure.js';

const lengthOf = (text: string): number => {
  const length = Number(text);
  if (!/^\d+$/.test(text) || length > 128) throw new Failure(`${text}: bad value`);
  // in6_getprefix makes the same mask of both.
  return length === 0 ? 128 : length;
};

/** A zone has to be an interface's. */
function addressOf(word: string, names: readonly string[]): string {
  const [address = '', zone] = word.split('%');
  const value = number6(address);
  if (value === null || (zone !== undefined && !names.includes(zone)))
    throw new Failure(`${word}: bad value`);
  return text6(value);
}

/**
 * Words after `inet6`, left to right; the address is set last. Nothing that was there goes by it, also without `alias`.
 */
export function parseInet6(
  words: readonly string[],
  { kind }: Pick<Interface, 'kind'>,
  names: readonly string[],
): IfconfigAction[] {
  const actions: IfconfigAction[] = [];
  const rest = [...words];
  let address: string | null = null;
  let prefix: number | null = null;
  let alias = false;
  let deletes = false;
  const argument = (name: string): string => {
    const value = rest.shift();
    if (value === undefined) throw new Failure(`'${name}' requires argument`);
    return value;
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === 'up' || word === 'down') actions.push({ do: word });
    else if (word === 'mtu') actions.push({ do: 'mtu', mtu: Number.parseInt(argument('mtu'), 10) || 0 });
    else if (word === 'dad' || word === '-dad') actions.push({ do: 'dad', on: word === 'dad' });
    else if (word === 'alias' || word === 'add') alias = true;
    else if (word === 'delete' || word === '-alias' || word === 'remove') deletes = true;
    else if (word === 'prefixlen') prefix = lengthOf(argument('prefixlen'));
    else if (address === null) {
      // After `-alias` the word is taken as a whole.
      const [own = '', length] = deletes ? [word] : word.split(/\/(?=[^/]*$)/);
      if (length !== undefined) prefix = lengthOf(length);
      address = addressOf(own, names);
    } else {
      addressOf(word, names);
      // Another end, where there is none.
      if (kind !== 'tunnel') address = '::';
    }
  }
  if (deletes) actions.push(address === null ? { do: 'delete6' } : { do: 'delete6', address });
  else if (address !== null) actions.push({ do: 'set6', address, prefix: prefix ?? 64, alias });
  return actions;
}

/** In the order of af_inet6.c: the state of the detection between what else there is to say. */
export const inet6Lines = ({ name, index }: Interface, { addresses }: Link6Told): string[] =>
  addresses.map(({ address, prefix, state, marks }) => {
    const scope = zoned(address, name) === address ? [] : [`scopeid 0x${index.toString(16)}`];
    const words = [...(state === 'usable' ? [] : [state]), ...marks, ...scope];
    return `\tinet6 ${[zoned(address, name), 'prefixlen', prefix, ...words].join(' ')} `;
  });

/** Once there is an address (nd6.c: nd_ifinfo is initialised with the first). */
export function nd6Line({ addresses, detects, disabled }: Link6Told): string[] {
  if (addresses.length === 0) return [];
  const names = ['PERFORMNUD', ...(disabled ? ['IFDISABLED'] : []), ...(detects ? ['DAD'] : [])];
  const flags = 0x1 + (disabled ? 0x8 : 0) + (detects ? 0x200 : 0);
  return [`\tnd6 options=${flags.toString(16)}<${names.join(',')}>`];
}
