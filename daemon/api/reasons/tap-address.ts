import type { Topic } from './record.js';
import { moveLink, readLogs, tryAgain } from './remedies.js';

export const tapAddress = {
  code: 'TT106',
  question: 'Does the Mac’s end of the link have its address?',
  dependsOn: ['VirtualMachine', 'TapAttached'],
  reasons: {
    LinkTaken: {
      severity: 'persistent',
      meaning:
        'A VPN with an exit node takes the route of every local network, and would take that of another pair of ' +
        'addresses too. The link comes back by itself when it no longer does.',
      whatToDo: [
        {
          text: 'Tailscale: choose “Allow Local Network Access”',
          command: 'tailscale set --exit-node-allow-lan-access',
        },
        { text: 'Where that does not help, use no exit node while you need containers' },
        {
          text: 'Where no VPN runs any more, take away the row that it left behind, with the link’s own network',
          command: 'sudo route -n delete -net {network}',
        },
      ],
    },
    LinkCollision: {
      severity: 'persistent',
      meaning:
        'Something else, which the message names, uses the link’s own network, on this Mac or in the VM: the Mac ' +
        'could ' +
        'reach only one of the two.',
      whatToDo: [
        moveLink,
        {
          text: 'Where macOS has chosen the network, end what has a part of it besides, as the message says',
        },
      ],
    },
    LinkYielded: {
      severity: 'degraded',
      meaning:
        'Something on this Mac, most often a VPN client, takes the link’s network away again and again. The link ' +
        'comes ' +
        'back when that stops, after five minutes at the latest.',
      whatToDo: [tryAgain],
    },
    AddressRefused: {
      severity: 'degraded',
      meaning:
        '`ifconfig` ended with an error when it was to set address or MTU on the tap; the message quotes it. ' +
        'tuntapd tries again by itself.',
      whatToDo: [
        { text: 'See what the interface has', command: 'ifconfig {device}' },
        { text: 'If it stays so, restart Docker Desktop: the next VM opens the device anew' },
      ],
    },
    AddressNotSet: {
      severity: 'degraded',
      meaning:
        '`ifconfig` reported no error, yet the tap does not have address, prefix and MTU as set. Another program (a ' +
        'VPN ' +
        'client, a network script) sets them as well. tuntapd tries again by itself.',
      whatToDo: [
        { text: 'See what the interface has instead', command: 'ifconfig {device}' },
        { text: 'Find whatever else configures the tap, and end it' },
      ],
    },
    TapGone: {
      severity: 'degraded',
      dependsOn: ['VirtualMachine'],
      meaning:
        'The interface disappeared while it was to be set up: it exists only while hyperkit has the device open, so ' +
        'the ' +
        'VM has most likely ended. The next look finds out.',
      whatToDo: [{ text: 'Where Docker’s VM still runs, restart Docker Desktop' }, readLogs],
    },
    NotSet: {
      severity: 'transient',
      meaning:
        'The Mac’s end of the link does not have its address yet, or its network has no row in the routing table yet.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        'The interface, the routing table or the DNS resolvers could not be read. While they are not known the ' +
        'addresses could be anybody’s, so none is set.',
      whatToDo: [readLogs],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        '`ifconfig` could not be run, or another error without a name of its own came up; the message quotes it. ' +
        'tuntapd tries again at least once a minute.',
      whatToDo: [readLogs],
    },
    NoLink: {
      severity: 'idle',
      meaning:
        'No VM holds the tap, and none has a NIC on a network of the Mac: there is no interface to speak of.',
    },
    Set: {
      severity: 'fine',
      meaning:
        'The Mac’s end of the link has its address, and the routing table leads the link’s network there.',
    },
  },
} as const satisfies Topic;
