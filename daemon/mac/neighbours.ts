import { run, type Run } from '../lib/command.js';
import type { Neighbour } from '../core/observation.js';

const row = /^\S+ \((\d+\.\d+\.\d+\.\d+)\) at ([0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}) on ([a-z]+\d+)(?: |$)/;

/** The answered rows in what `arp -n ADDRESS` prints (network_cmds arp.c print_entry()): octets without leading zeros. */
export const neighboursIn = (text: string): readonly Neighbour[] =>
  text.split('\n').flatMap((line) => {
    const [, address, mac = '', name] = row.exec(line) ?? [];
    return address === undefined || name === undefined
      ? []
      : [
          {
            address,
            mac: mac
              .split(':')
              .map((octet) => octet.padStart(2, '0'))
              .join(':'),
            interface: name,
          },
        ];
  });

/** Who has answered at this address, by the Mac's ARP table; nobody where it has no row (exit 1). Rejects when `arp` hangs. */
export async function neighboursAt(address: string, command: Run = run): Promise<readonly Neighbour[]> {
  const { stdout } = await command('/usr/sbin/arp', ['-n', address]);
  return neighboursIn(stdout);
}
