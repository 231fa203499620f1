/** The Mac's end of a tap: its address, and the connected row of its network. Pure. */
import { failed, type Judge, no, unclear, yes } from '../condition.js';
import type { FamilyJudgement } from '../judgement.js';
import { valueOf } from '../observation.js';
import { keyOf, type Step } from '../steps.js';
import { takenRow, toldTaken } from './taken.js';

/** Sets the address, also once more where the table has lost its row. */
export function addressSteps({ observation, memory, link: state }: FamilyJudgement): Step[] {
  if (state.kind !== 'present' || state.lacks === 'network' || state.lacks === 'uniqueness') return [];
  if (memory.link.held) return [];
  // While they are not known the pair could be anybody's.
  if (!observation.resolvers.known) return [];
  const { interface: name, macAddress, network, mtu } = state.link;
  const prefix = network.bits.length;
  const isLost = state.lacks === 'row';
  const why = isLost
    ? `the table has lost the row of ${macAddress}/${prefix} on ${name}`
    : `${name} of VM ${state.vm.id} lacks ${macAddress}/${prefix}`;
  return [
    {
      kind: 'address-tap',
      key: keyOf(`address ${name}`, macAddress),
      why,
      interface: name,
      macAddress,
      prefix,
      mtu,
      anew: isLost,
    },
  ];
}

/** Takes our address off again. */
export function unaddressSteps({ link: { link, isAddressed } }: FamilyJudgement, why: string): Step[] {
  if (!link || !isAddressed) return [];
  const { interface: name, macAddress } = link;
  const key = keyOf(`unaddress ${name}`, macAddress);
  return [{ kind: 'unaddress-tap', key, why, interface: name, macAddress }];
}

export const tapAddress: Judge<'TapAddress'> = (judgement, failures) => {
  const { observation, memory, link: state, collision } = judgement;
  if (state.kind === 'absent') return no('NoLink', 'the tap is not attached');
  const taken = takenRow(judgement);
  if (taken) return no('LinkTaken', toldTaken(taken, valueOf(observation.routes) ?? []));
  if (collision !== null) return no('LinkCollision', collision);
  if (state.kind === 'unknown') return unclear(state.why);
  const { interface: name, macAddress, network } = state.link;
  const address = `${macAddress}/${network.bits.length}`;
  if (state.kind === 'up') return yes('Set', `${name} has ${address}`);
  const { held } = memory.link;
  if (held?.state === 'yielded')
    return no(
      'LinkYielded',
      `something on this Mac, most often a VPN, took the link’s network away ${held.losses} times in a row. The link comes ` +
        'back when the routing table has settled, or with `tuntapctl up`',
    );
  const failure = failed('TapAddress', failures);
  if (failure) return failure;
  if (!observation.resolvers.known) return unclear(observation.resolvers.why);
  return state.lacks === 'row'
    ? no('NotSet', `${name} has ${address}, but the table has lost its row: it is set again in a moment`)
    : no('NotSet', `${name} has no ${address} yet`);
};
