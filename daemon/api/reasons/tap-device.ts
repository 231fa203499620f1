import type { Topic } from './record.js';
import { kextApproval, readLogs, tryAgain } from './remedies.js';

const allow = { text: `Allow the kext in ${kextApproval}, and restart the Mac` };

export const tapDevice = {
  code: 'TT102',
  question: 'Is the tap device there, and does it belong to Docker’s user?',
  reasons: {
    KextMissing: {
      severity: 'degraded',
      meaning:
        '`/dev/tap1`, or what `tap.device` names, does not exist: no tap kernel extension is loaded, and none is ' +
        'installed in `/Library/Extensions`.',
      whatToDo: [{ text: 'Install tuntaposx, or Tunnelblick’s tap kext' }, allow],
    },
    KextNotApproved: {
      severity: 'persistent',
      meaning:
        'macOS does not load the installed kext before a person allows it; the message quotes macOS. tuntapd ' +
        'asks once, since every attempt shows a dialog.',
      whatToDo: [allow, { text: 'Without a restart, have tuntapd try again', command: 'tuntapctl up' }],
    },
    KextNotLoaded: {
      severity: 'transient',
      meaning:
        'The kext is installed and not loaded; tuntapd loads it. Where five attempts of `kextload` fail, the ' +
        'message quotes the last one, and it is tried again only when asked: another program’s driver (VirtualBox’s, ' +
        'another VPN’s tap) can be in its place until the next boot.',
      whatToDo: [tryAgain, { text: 'If it stays so, restart the Mac' }],
    },
    NotOwned: {
      severity: 'transient',
      meaning:
        'The device belongs to another user than the one whose hyperkit is to open it. tuntapd gives it to that user ' +
        'in a moment; macOS forgets the owner at each boot.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        'The device cannot be looked at, or what lies at its path is no device; the message says which.',
      whatToDo: [{ text: 'See what it is', command: 'ls -l /dev/{device}' }],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'Loading the kext, or giving the device to its user, failed with an error that has no reason of its own; the ' +
        'message quotes it. tuntapd tries again at least once a minute.',
      whatToDo: [readLogs],
    },
    Present: {
      severity: 'fine',
      meaning: 'The device exists; while tuntapd is removed its owner does not matter.',
    },
    NotNeeded: {
      severity: 'fine',
      meaning: 'The link is by a network that macOS shares with the VM, which takes no kext and no device.',
    },
    Owned: { severity: 'fine', meaning: 'The device belongs to the user whose hyperkit opens it.' },
  },
} as const satisfies Topic;
