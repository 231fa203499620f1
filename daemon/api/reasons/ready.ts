import { conditionTypes, type Topic } from './record.js';
import { readLogs, tryAgain } from './remedies.js';

/** The summary has the reason and the words of what stands in the way; these are the ones of its own. */
export const ready = {
  code: 'TT110',
  question: 'Do containers answer on their own addresses?',
  /** In the order in which they count as the cause: that nobody is logged in comes last. Addresses answer without names. */
  dependsOn: [
    ...conditionTypes.filter(
      (type) => type !== 'ConsoleUser' && type !== 'Names' && type !== 'Ipv6' && type !== 'Ready',
    ),
    'ConsoleUser',
  ],
  reasons: {
    DockerStays: {
      severity: 'degraded',
      dependsOn: [],
      meaning:
        'tuntapd asked Docker Desktop to restart, for a VM with the tap, and Docker, or its VM, did not end. It is ' +
        'not ' +
        'asked again for this VM.',
      whatToDo: [{ text: 'Quit Docker Desktop yourself and open it again' }],
    },
    DockerClosed: {
      severity: 'degraded',
      dependsOn: [],
      meaning: 'tuntapd has quit Docker Desktop and could not open it again; the message quotes macOS.',
      whatToDo: [{ text: 'Open Docker Desktop yourself' }],
    },
    AddressNotRemoved: {
      severity: 'degraded',
      dependsOn: [],
      meaning:
        'The link is to be down, and its address is still on the tap after `ifconfig` was to delete it; the message ' +
        'quotes `ifconfig`. tuntapd tries again by itself, and the address goes with the VM at the latest.',
      whatToDo: [
        { text: 'Delete it yourself', command: 'sudo ifconfig {device} inet {address} delete' },
        { text: 'Or quit Docker Desktop: the interface ends with its VM' },
      ],
    },
    InterfaceUnknown: {
      severity: 'degraded',
      dependsOn: [],
      meaning:
        'The link is to be down, and `ifconfig` does not say whether its address is still on the tap, so nobody ' +
        'knows ' +
        'that it is gone. tuntapd tries again by itself.',
      whatToDo: [{ text: 'See what it reports', command: 'ifconfig {device}' }, readLogs],
    },
    Failed: {
      severity: 'degraded',
      dependsOn: [],
      meaning:
        'A step that no other condition is about failed with an error that has no reason of its own; the message ' +
        'quotes it. tuntapd tries again at least once a minute.',
      whatToDo: [readLogs],
    },
    Idle: {
      severity: 'idle',
      dependsOn: ['ConsoleUser', 'VirtualMachine'],
      meaning: 'Nobody is logged in, or Docker’s VM does not run. Everything is set up when it starts.',
    },
    Down: {
      severity: 'idle',
      dependsOn: [],
      meaning:
        'A person has taken the link down. It stays down, across restarts of the Mac, until asked for again.',
      whatToDo: [{ ...tryAgain, text: 'Bring it up' }],
    },
    Ready: { severity: 'fine', meaning: 'Everything that tuntapd sets up is set up.' },
  },
} as const satisfies Topic;
