/** What is to be done about more than one reason. */
import { networkOf } from '../../../config/link.js';
import type { Remedy } from './record.js';

/** What stands for the placeholders of a remedy: the interface of the link, its two ends, and its network as CIDR. */
export interface RemedyLink {
  readonly device: string;
  readonly address: string;
  readonly peer: string;
  readonly network: string;
}

/** The link that there is; without one, that of `[tap]` as configured. */
export function linkOf(
  status: {
    readonly link?: (Omit<RemedyLink, 'device'> & { readonly interface: string }) | null | undefined;
  } | null,
  { device, address, peer, prefix }: Omit<RemedyLink, 'network'> & { readonly prefix: number },
): RemedyLink {
  const link = status?.link;
  if (link) return { ...link, device: link.interface };
  return { device, address, peer, network: networkOf({ address, prefix }) };
}

/** A remedy for a Mac with this link. */
export const filled = ({ text, command }: Remedy, link: RemedyLink): Remedy => {
  const fill = (words: string): string =>
    words.replaceAll(/\{(device|address|peer|network)\}/g, (_, key: keyof RemedyLink) => link[key]);
  return { text: fill(text), ...(command === undefined ? {} : { command: fill(command) }) };
};

/** What to do, with its command, for people. */
export const inWords = ({ text, command }: Remedy): string =>
  command === undefined ? text : `${text}: ${command}`;

/** What to do, as a part of a longer sentence. */
export const inSentence = ({ text }: Remedy): string => `${text.charAt(0).toLowerCase()}${text.slice(1)}`;

export const readLogs = {
  text: 'Read what was tried, and how it ended',
  command: 'tuntapctl logs -n 50',
} as const satisfies Remedy;

export const tryAgain = {
  text: 'Have tuntapd try again at once',
  command: 'tuntapctl up',
} as const satisfies Remedy;

/** Where a person allows a kext, by the names that both macOS 13 and older ones have for it. */
export const kextApproval =
  'System Settings > Privacy & Security (up to macOS 12: System Preferences > Security & Privacy)';

export const restartDocker = { text: 'Quit Docker Desktop and open it again' } as const satisfies Remedy;

export const restartRuntime = {
  text: 'Restart Docker Desktop, or the runtime that the message names',
} as const satisfies Remedy;

export const reinstallDocker = {
  text: 'Install Docker Desktop again, over the one that is there; tuntapd puts the shim in by itself',
} as const satisfies Remedy;

export const showRoutes = {
  text: 'See each subnet, and why it is routed or not',
  command: 'tuntapctl routes',
} as const satisfies Remedy;

export const anotherSubnet = {
  text:
    'Give the Docker network another subnet: `docker network create --subnet …`, or `default-address-pools` in ' +
    'Docker’s ' +
    'settings, Docker Engine',
} as const satisfies Remedy;

export const followVm = {
  text: 'Let the link follow what Docker’s VM runs by',
  command: 'sudo tuntapctl config set link auto',
} as const satisfies Remedy;

export const kernelNetworking = {
  text: 'In Docker’s settings, Resources, Network, switch on “Use kernel networking for UDP”, and apply it',
} as const satisfies Remedy;

/** What lets macOS's DHCP server answer VMs again (socket_vmnet issue 62). */
export const unblockBootpd = [
  {
    text: 'Take macOS’s DHCP server out of its firewall’s list',
    command: 'sudo /usr/libexec/ApplicationFirewall/socketfilterfw --remove /usr/libexec/bootpd',
  },
  {
    text: 'Put it in again',
    command: 'sudo /usr/libexec/ApplicationFirewall/socketfilterfw --add /usr/libexec/bootpd',
  },
  {
    text: 'Let it answer',
    command: 'sudo /usr/libexec/ApplicationFirewall/socketfilterfw --unblock /usr/libexec/bootpd',
  },
] as const satisfies readonly Remedy[];

export const moveLink = {
  text: 'Move the link to a pair of addresses that nobody uses, by the `sudo tuntapctl config set` command of the message',
} as const satisfies Remedy;
