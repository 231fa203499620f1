import type { Topic } from './record.js';
import { readLogs } from './remedies.js';

export const dataPath = {
  code: 'TT111',
  question: 'Does anything answer through the link?',
  dependsOn: ['VirtualMachine', 'TapAttached', 'TapAddress', 'Engine', 'Guest', 'Routes'],
  reasons: {
    NothingAnswers: {
      severity: 'degraded',
      dependsOn: ['VirtualMachine', 'TapAttached', 'TapAddress', 'Engine', 'Guest'],
      meaning:
        'Link, firewall and routes look right, but not all that should answer does. TCP is tried on port 9, and a ' +
        'refusal ' +
        'counts as an answer. A container’s own firewall looks the same, and so does a packet filter of this Mac ' +
        '(AnyConnect’s pf rules, Little Snitch).',
      whatToDo: [
        { text: 'Set everything up again', command: 'tuntapctl restart' },
        { text: 'Have the packet filter pass traffic on `{device}`' },
      ],
    },
    NotSeen: {
      severity: 'transient',
      meaning: 'Nothing has been tried yet in this run of Docker Engine, or the link cannot be looked at.',
      whatToDo: [readLogs],
    },
    NoLink: {
      severity: 'idle',
      meaning: 'Link, VM or routes are not set up, so there is nothing to try yet.',
    },
    Answering: { severity: 'fine', meaning: 'A container, or without one the VM, answers through the link.' },
  },
} as const satisfies Topic;
