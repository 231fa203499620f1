import type { Topic } from './record.js';
import { readLogs } from './remedies.js';

export const virtualMachine = {
  code: 'TT104',
  question: 'Does Docker’s VM run?',
  reasons: {
    VirtualizationFramework: {
      severity: 'persistent',
      isTerminal: true,
      meaning:
        'Docker.app has hyperkit, but Docker runs its VM by Apple’s Virtualization framework, which cannot be given ' +
        'a tap.',
      whatToDo: [
        { text: 'In Docker’s settings, General, choose HyperKit, where this Docker Desktop still offers it' },
      ],
    },
    NotRunning: {
      severity: 'idle',
      meaning:
        'No VM of Docker’s runs for this user: Docker Desktop is closed, or its Resource Saver has stopped the VM. ' +
        'Everything is set up when it starts.',
    },
    NotSeen: {
      severity: 'transient',
      dependsOn: ['ConsoleUser'],
      meaning:
        '`ps` failed or took too long, so nobody knows whether the VM runs. What is set up stays as it is.',
      whatToDo: [readLogs],
    },
    Running: {
      severity: 'fine',
      meaning: 'hyperkit runs. The message names VMs besides, and how to end one that was left behind.',
    },
  },
} as const satisfies Topic;
