import type { Topic } from './record.js';
import { followVm, readLogs, reinstallDocker, tryAgain } from './remedies.js';

export const shim = {
  code: 'TT103',
  question: 'Does hyperkit have the shim?',
  reasons: {
    NoHyperkit: {
      severity: 'degraded',
      isTerminal: true,
      meaning:
        'This Docker Desktop has no hyperkit: it runs its VM by Apple’s Virtualization framework, which cannot be ' +
        'given ' +
        'a tap.',
      whatToDo: [followVm, { text: 'Or use an Intel Mac and a Docker Desktop that offers HyperKit' }],
    },
    NoDocker: {
      severity: 'degraded',
      meaning: 'There is no Docker.app in `/Applications` or `~/Applications`, nor where `docker.app` says.',
      whatToDo: [
        { text: 'Install Docker Desktop in `/Applications`' },
        {
          text: 'Where it lies elsewhere, open it once, or name its path: `sudo tuntapctl config set docker.app …`',
        },
      ],
    },
    AppManagement: {
      severity: 'persistent',
      meaning:
        'macOS 13 and newer let no program change another app without a grant, not even root. tuntapd tries again ' +
        'at most once an hour. On older ones a locked file or folder is the cause.',
      whatToDo: [
        {
          text:
            'In System Settings, Privacy & Security, App Management, add `/opt/tuntapd/bin/tuntapd` with the + ' +
            'button ' +
            'and switch it on',
        },
        { text: 'Before macOS 13, find the flag `uchg` or `schg` with `ls -lO` and take it away' },
        tryAgain,
      ],
    },
    ReadOnly: {
      severity: 'persistent',
      meaning:
        'The owner of Docker.app may not write in it: it lies on a disk image, a read-only volume, or in a folder ' +
        'without write permission.',
      whatToDo: [{ text: 'Move Docker.app to `/Applications`, or make its folder writable' }, tryAgain],
    },
    TooManyBundles: {
      severity: 'persistent',
      meaning: '16 Docker.apps have the shim, and no more get one.',
      whatToDo: [
        { text: 'Remove a Docker.app that is not needed any more' },
        { text: 'Or take the shim out of all of them', command: 'sudo tuntapctl shim restore' },
      ],
    },
    OriginalMissing: {
      severity: 'degraded',
      meaning:
        'The shim stands at hyperkit’s path, but the `.original` beside it, which it starts, is gone or no hyperkit. ' +
        'Docker cannot start its VM, and tuntapd keeps no copy.',
      whatToDo: [
        {
          text: 'Install Docker Desktop again, in the version that the message names; the shim comes back by itself',
        },
      ],
    },
    OriginalTaken: {
      severity: 'degraded',
      meaning:
        'tuntapd would put hyperkit aside as `.original`, and a file that is not of its making lies there. It is ' +
        'left ' +
        'alone.',
      whatToDo: [{ text: 'Move that file away; the message has its path' }],
    },
    ForeignScript: {
      severity: 'degraded',
      meaning:
        'Somebody else’s script stands at hyperkit’s path; the message shows its first lines. tuntapd never touches ' +
        'it.',
      whatToDo: [reinstallDocker],
    },
    Refused: {
      severity: 'degraded',
      meaning:
        'Root does not work in this Docker.app: something on the way to hyperkit is a symbolic link, belongs to ' +
        'several ' +
        'users, or can be written by others, or hyperkit itself is no plain file. The message says what.',
      whatToDo: [
        { text: 'Install Docker Desktop in `/Applications`, not by a link' },
        { text: 'Where it has to lie elsewhere, set `docker.app` to the path where it really is' },
      ],
    },
    BundleRefused: {
      severity: 'degraded',
      meaning:
        'The child that works in Docker.app as its owner found something else there than was planned for (somebody ' +
        'changed it meanwhile), failed, or took too long. tuntapd tries again by itself, and what was begun is ' +
        'finished.',
      whatToDo: [readLogs, { text: 'If it stays so, install Docker Desktop again' }],
    },
    DoesNotAnswer: {
      severity: 'degraded',
      meaning:
        'A Docker.app lies on a disk that does not answer (a server that is gone, a sleeping drive) and has not been ' +
        'looked at since the moment that the message names.',
      whatToDo: [{ text: 'Connect that disk again, or eject it' }],
    },
    BeingReplaced: {
      severity: 'transient',
      meaning:
        'Docker is being updated. Nothing is written into it until it is whole and has been quiet for a while.',
      whatToDo: [{ text: 'If it stays so, install Docker Desktop again' }],
    },
    BeingWritten: {
      severity: 'transient',
      meaning: 'hyperkit is not complete: an update is under way, or a copy broke off.',
      whatToDo: [{ text: 'If it stays so, install Docker Desktop again' }],
    },
    NotLaunched: {
      severity: 'transient',
      meaning:
        'macOS 13 and newer start no changed app for the first time, so an installed or updated Docker.app gets the ' +
        'shim only after its first start. Docker is then restarted once, where `restartDocker` lets tuntapd do so.',
      whatToDo: [{ text: 'Open Docker Desktop once' }],
    },
    NotInstalled: {
      severity: 'transient',
      meaning:
        'hyperkit has no shim, or one of another version or configuration. tuntapd puts it in at once.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        'The Docker.apps on this Mac could not be looked at; nothing is said about hyperkit, and nothing done.',
      whatToDo: [readLogs],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'Putting the shim in, or giving hyperkit back, failed with an error that has no reason of its own; the ' +
        'message ' +
        'quotes it. tuntapd tries again at least once a minute.',
      whatToDo: [readLogs],
    },
    Restored: {
      severity: 'idle',
      meaning: 'hyperkit is as Docker shipped it, since a person asked for that, and the link is down.',
      whatToDo: [{ text: 'Put the shim in again', command: 'tuntapctl up' }],
    },
    Removed: { severity: 'idle', meaning: 'tuntapd is being removed, and gives hyperkit back.' },
    NotManaged: { severity: 'fine', meaning: '`shim.manage` is false: tuntapd leaves hyperkit as it is.' },
    NotNeeded: {
      severity: 'fine',
      meaning:
        'The link is by a network that macOS shares with the VM. hyperkit has no part in it, and where it had the shim ' +
        'it is given back.',
    },
    Installed: {
      severity: 'fine',
      meaning:
        'The shim stands at hyperkit’s path, and hyperkit beside it. Docker Desktop 4.74 and newer check their own ' +
        'app, ' +
        'and may tell of an _integrity issue_: that is the shim.',
      // Docker Desktop checks the content of its app (release notes of 4.74 and 4.79), and may tell its user of a change.
      notice:
        'A notice of Docker Desktop about the integrity of its app means this shim; ' +
        'to have hyperkit as Docker shipped it: sudo tuntapctl shim restore',
    },
  },
} as const satisfies Topic;
