import type { Topic } from './record.js';
import { followVm, kernelNetworking, readLogs } from './remedies.js';

export const virtualMachine = {
  code: 'TT104',
  question: 'Does Docker’s VM run?',
  reasons: {
    VirtualizationFramework: {
      severity: 'persistent',
      isTerminal: true,
      meaning:
        'Docker.app has hyperkit, but Docker runs its VM by Apple’s Virtualization framework, which cannot be given a tap.',
      whatToDo: [
        followVm,
        {
          text: 'Or in Docker’s settings, General, choose HyperKit, where this Docker Desktop still offers it',
        },
      ],
    },
    DockerVmm: {
      severity: 'persistent',
      isTerminal: true,
      meaning:
        'Docker runs its VM by Docker VMM (`com.docker.sailor`, or `com.docker.krun`), which has a network stack of its own: ' +
        'no tap, and no NIC that the Mac shares.',
      whatToDo: [
        {
          text: 'In Docker’s settings, General, Virtual Machine Options, choose Apple Virtualization framework',
        },
        kernelNetworking,
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
      meaning: 'Docker’s VM runs. The message names VMs besides, and how to end one that was left behind.',
    },
  },
} as const satisfies Topic;
