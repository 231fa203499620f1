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
        'Docker.app has hyperkit, but Docker runs its VM by Apple’s Virtualization framework, which cannot be given ' +
        'a tap.',
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
    NotChosen: {
      severity: 'idle',
      isTold: true,
      meaning:
        'A VM of colima, Lima or Rancher Desktop runs, Docker Desktop does not, and docker’s current context ' +
        '(`docker context ls`) does not lead to that VM. What `DOCKER_HOST` says in a shell nobody else can see.',
      whatToDo: [
        { text: 'Choose the VM’s context: `docker context use …`. It is followed within seconds' },
        { text: 'Or name it, whatever is current: `sudo tuntapctl config set docker.context …`' },
      ],
    },
    RoutesItself: {
      severity: 'idle',
      isTold: true,
      meaning:
        'OrbStack’s VM is the one that runs. OrbStack routes its containers’ networks on the Mac by itself, so there is ' +
        'nothing for tuntapd to do.',
    },
    NoWayIn: {
      severity: 'idle',
      isTold: true,
      meaning:
        'Podman’s VM is the one that runs. Its only network is gvproxy, a program of the user’s that passes connections ' +
        'on, so no packet of the Mac’s can reach a container’s own address.',
    },
    ContextMissing: {
      severity: 'persistent',
      isTerminal: true,
      meaning: '`docker.context` names a context that the user in front of the Mac does not have.',
      whatToDo: [
        { text: 'See what contexts there are', command: 'docker context ls' },
        {
          text: 'Follow Docker Desktop, or whatever is current',
          command: 'sudo tuntapctl config set docker.context auto',
        },
      ],
    },
    ContextNotLocal: {
      severity: 'persistent',
      isTerminal: true,
      meaning:
        '`docker.context` names a context that leads to another computer (`ssh://`, `tcp://`). tuntapd reaches the ' +
        'containers of a VM on this very Mac alone.',
      whatToDo: [
        {
          text: 'Follow Docker Desktop, or whatever is current',
          command: 'sudo tuntapctl config set docker.context auto',
        },
      ],
    },
    NotRunning: {
      severity: 'idle',
      meaning:
        'No VM runs that is to be followed: Docker Desktop is closed, its Resource Saver has stopped the VM, or the runtime ' +
        'that `docker.context` names is stopped. Everything is set up when it starts.',
    },
    NotSeen: {
      severity: 'transient',
      dependsOn: ['ConsoleUser'],
      meaning:
        '`ps` failed or took too long, or docker’s context could not be read, so nobody knows whether the VM runs. What is ' +
        'set up stays as it is.',
      whatToDo: [readLogs],
    },
    Running: {
      severity: 'fine',
      meaning: 'Docker’s VM runs. The message names VMs besides, and how to end one that was left behind.',
    },
  },
} as const satisfies Topic;
