import type { Topic } from './record.js';
import {
  followVm,
  kernelNetworking,
  moveLink,
  readLogs,
  restartDocker,
  tryAgain,
  unblockBootpd,
} from './remedies.js';

export const tapAttached = {
  code: 'TT105',
  question: 'Does the VM have the link’s network card?',
  dependsOn: ['VirtualMachine'],
  reasons: {
    HeldByOtherUser: {
      severity: 'degraded',
      meaning:
        'Another user is logged in behind you, and the VM of that user’s Docker has the tap. While only that ' +
        'user runs Docker, those containers stay reachable; one tap serves one VM.',
      whatToDo: [
        { text: 'Quit Docker Desktop in the other user’s session' },
        { text: 'Restart Docker Desktop in yours' },
      ],
    },
    HeldByLeftover: {
      severity: 'degraded',
      meaning:
        'Two VMs of Docker’s of one user run: an old one was left behind (Docker was quit while it was starting) ' +
        'and has ' +
        'the tap, while the engine is that of the newer one. Nothing is set up in either.',
      whatToDo: [
        { text: 'Quit Docker Desktop' },
        { text: 'End the old VM with the `kill` command of the message' },
        { text: 'Open Docker Desktop again' },
      ],
    },
    HeldByAnother: {
      severity: 'degraded',
      meaning:
        'A program that is not Docker’s VM, a VPN for instance, holds the tap; the message has its pid.',
      whatToDo: [
        { text: 'End that program and restart Docker Desktop' },
        {
          text: 'Or choose another device, `sudo tuntapctl config set tap.device …`, and restart Docker Desktop',
        },
      ],
    },
    LinkCollision: {
      severity: 'persistent',
      meaning:
        'Something else, which the message names, uses the link’s own network, on this Mac or in the VM. The VM runs ' +
        'without the tap, and is not restarted for a link that could not be set up.',
      whatToDo: [moveLink],
    },
    RestartNeeded: {
      severity: 'persistent',
      meaning:
        'The VM runs without the tap, and tuntapd does not restart Docker itself: a container has been running for ' +
        'longer ' +
        'than a minute, Docker did not quit, one restart did not help, or `restartDocker` is not `auto`. The message ' +
        'says which.',
      whatToDo: [restartDocker, { text: 'Or have tuntapd try once more', command: 'tuntapctl up' }],
    },
    RestartPending: {
      severity: 'transient',
      meaning:
        'The VM runs without the tap, and tuntapd is about to restart Docker for it, or has asked it to quit and ' +
        'opens it ' +
        'again. It does so only where no container has been running for longer than a minute.',
    },
    OtherMac: {
      severity: 'degraded',
      meaning:
        'The VM was started with a tap of another MAC address than `tap.mac` (by docker-tuntap-osx’s shim, or before ' +
        '`tap.mac` was changed), so its interface is not found in the VM. tuntapd restarts Docker where ' +
        '`restartDocker` ' +
        'lets it.',
      whatToDo: [restartDocker],
    },
    TapNotOpened: {
      severity: 'degraded',
      meaning:
        'The VM was started with the tap but could not open it (the device was missing, another user’s, or held), ' +
        'and ' +
        'hyperkit does not try again.',
      whatToDo: [restartDocker],
    },
    StartedWithoutTap: {
      severity: 'degraded',
      meaning:
        'The VM was started before the shim stood at hyperkit’s path, so it has no network card for the tap. Only ' +
        'its ' +
        'next start gives it one.',
      whatToDo: [restartDocker],
    },
    NoSharedNetwork: {
      severity: 'persistent',
      meaning:
        'Docker’s VM runs by Apple’s Virtualization framework, and no bridge of this Mac has a VM on it: the VM has no NIC ' +
        'that the Mac shares. Docker makes one only when asked to, and only when its VM starts.',
      whatToDo: [
        kernelNetworking,
        { text: 'If nothing changes, quit Docker Desktop and open it again' },
        { text: 'In colima: `colima stop`, then `colima start --network-address`' },
        { text: 'In Lima: `vzNAT: true` under `networks` of the instance, and start it again' },
      ],
    },
    NoSharedNic: {
      severity: 'persistent',
      meaning:
        'Other VMs are on networks of this Mac, but no NIC of Docker’s VM is: its setting is off, or its VM runs by ' +
        'something that has none. The VM’s way out is never taken for one, nor are Docker’s own networks.',
      whatToDo: [kernelNetworking, followVm],
    },
    NicWithoutAddress: {
      severity: 'degraded',
      meaning:
        'The VM’s NIC on a network of the Mac has IPv6 only: macOS’s DHCP server, `bootpd`, has not answered, which the ' +
        'firewall of macOS is known to keep it from. The VM is looked into again, ever more rarely.',
      whatToDo: [...unblockBootpd, tryAgain, restartDocker],
    },
    SeveralNics: {
      severity: 'persistent',
      meaning:
        'The VM has several NICs on networks of this Mac, which the message names, and routes can lead to one only.',
      whatToDo: [
        { text: 'Leave one of these networks to the VM, in the settings of whatever runs it' },
        tryAgain,
      ],
    },
    NicUnproven: {
      severity: 'degraded',
      meaning:
        'A NIC of the VM has an address of the bridge’s network, but the Mac’s ARP table has another MAC at that address, or ' +
        'none: the routes might lead to another VM on the bridge. It is tried again by itself.',
      whatToDo: [
        { text: 'See whom the Mac knows there: `arp -n`, with the address of the message' },
        { text: 'Quit other programs that run VMs, then restart Docker Desktop' },
      ],
    },
    NicNotSought: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'Engine'],
      meaning:
        'The VM’s NICs have not been looked at since it started, or since what answered by one fell silent.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        '`ifconfig` failed or took too long, so nobody knows whether the VM has the link’s card. What is set up stays as it is.',
      whatToDo: [{ text: 'See what it reports', command: 'ifconfig {device}' }, readLogs],
    },
    NoVm: { severity: 'idle', meaning: 'There is no VM that could have the link’s card.' },
    Attached: {
      severity: 'fine',
      meaning:
        'Docker’s VM has the tap open, or a NIC of the VM’s is on a network that macOS shares with it.',
    },
  },
} as const satisfies Topic;
