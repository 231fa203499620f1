import type { Topic } from './record.js';
import { readLogs, restartRuntime } from './remedies.js';

const dockersSocket =
  'Docker Desktop offers its engine at `~/.docker/run/docker.sock`, in `~/Library/Containers/com.docker.docker`, or at ' +
  '`/var/run/docker.sock`; another runtime where its context says (`docker context ls`).';

export const engine = {
  code: 'TT107',
  question: 'Does Docker Engine answer?',
  dependsOn: ['VirtualMachine'],
  reasons: {
    SocketMissing: {
      severity: 'degraded',
      meaning: `The VM has run for a minute, and there is no socket. ${dockersSocket}`,
      whatToDo: [restartRuntime],
    },
    SocketStale: {
      severity: 'degraded',
      meaning:
        'The VM has run for a minute, and the socket is left over from a Docker that has ended: nobody listens on it.',
      whatToDo: [restartRuntime],
    },
    SocketRefused: {
      severity: 'degraded',
      meaning:
        'The VM has run for a minute, and the system does not let anybody connect to the socket; the message says why.',
      whatToDo: [restartRuntime],
    },
    SocketSwapped: {
      severity: 'degraded',
      meaning:
        'The socket, or a folder above it, changed three times while it was dialled. The folders are the user’s, so ' +
        'tuntapd, being root, talks to nobody that may have been put there meanwhile. A Docker Desktop that is ' +
        'starting ' +
        'does so for a moment; a program that rewrites those folders does so for ever.',
      whatToDo: [
        { text: 'Wait until Docker Desktop has started; tuntapd dials again by itself' },
        {
          text: 'If it stays so, find what keeps writing there (a sync or backup tool, a script)',
          command: 'ls -laT ~/.docker/run',
        },
      ],
    },
    SocketForeign: {
      severity: 'degraded',
      meaning:
        'What lies at the socket’s path is no socket, or belongs to another user than the one whose VM it is. ' +
        'tuntapd ' +
        'talks to that user’s own engine only.',
      whatToDo: [{ text: 'Quit the other user’s Docker Desktop' }],
    },
    SocketOfAnother: {
      severity: 'degraded',
      meaning:
        '`/var/run/docker.sock` leads to another runtime (colima, OrbStack, Rancher Desktop, podman), and Docker ' +
        'Desktop’s own sockets are not there (yet).',
      whatToDo: [{ text: 'If that lasts, restart Docker Desktop' }],
    },
    SocketPathTooLong: {
      severity: 'degraded',
      meaning:
        'The path of Docker’s socket has more than 103 bytes, which macOS cuts, so that another socket would be asked.',
      whatToDo: [{ text: 'Give what `/var/run/docker.sock` leads to, or the home folder, a shorter name' }],
    },
    EngineSilent: {
      severity: 'degraded',
      meaning: 'Docker’s socket is there, and Docker Engine has not answered on it for a minute.',
      whatToDo: [restartRuntime],
    },
    VmEnded: {
      severity: 'degraded',
      meaning:
        'The VM’s process ended while its engine was dialled. tuntapd dials no more, since Docker’s proxy ' +
        'would start the VM for whoever does. The next look finds another VM, or none.',
      whatToDo: [{ text: 'Where Docker Desktop does not start its VM again, restart Docker Desktop' }],
    },
    NotAsked: {
      severity: 'degraded',
      meaning: 'The VM’s user is not known (yet), so there is no socket to dial.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        'Docker Engine has not answered yet, or its event stream has ended. An engine that starts answers within a ' +
        'minute.',
    },
    NoVm: {
      severity: 'idle',
      meaning: 'The engine runs in the VM. Without one it is not asked, since asking could start it.',
    },
    NotNeeded: {
      severity: 'fine',
      meaning:
        'Docker VMM gives its VM no network card that the Mac shares, so nothing can be set up in it, and its engine is ' +
        'left alone.',
    },
    Answering: { severity: 'fine', meaning: 'Docker Engine answers and lists its networks.' },
  },
} as const satisfies Topic;
