/** What ifconfig says of a bridge of vmnet's and of its members beyond what it says of every interface (macOS 14 and 15). */
import type { Interface } from '../../mac/xnu/table.js';

export interface BridgeDetails {
  readonly members: readonly Pick<Interface, 'name' | 'index'>[];
}

export const optionsOf = ({ kind }: Interface): string[] => {
  if (kind === 'bridge') return ['\toptions=63<RXCSUM,TXCSUM,TSO4,TSO6>'];
  return kind === 'vmenet' ? ['\toptions=60<TSO4,TSO6>'] : [];
};

/** The lines after a bridge's addresses. */
export const bridgeLines = ({ members }: BridgeDetails): string[] => [
  '\tConfiguration:',
  '\t\tid 0:0:0:0:0:0 priority 0 hellotime 0 fwddelay 0',
  '\t\tmaxage 0 holdcnt 0 proto stp maxaddr 100 timeout 1200',
  '\t\troot id 0:0:0:0:0:0 priority 0 ifcost 0 port 0',
  '\t\tipfilter disabled flags 0x0',
  ...members.flatMap((member) => [
    // A card that Internet Sharing serves is an ordinary member.
    `\tmember: ${member.name} flags=${member.name.startsWith('vmenet') ? '10803<LEARNING,DISCOVER,PRIVATE,CSUM>' : '3<LEARNING,DISCOVER>'}`,
    `\t        ifmaxaddr 0 port ${member.index} priority 0 path cost 0`,
  ]),
];

export const bridgeStatus = ({ members }: BridgeDetails): string[] => [
  '\tmedia: autoselect',
  `\tstatus: ${members.length > 0 ? 'active' : 'inactive'}`,
];
