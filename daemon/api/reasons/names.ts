import type { Topic } from './record.js';
import { readLogs, tryAgain } from './remedies.js';

export const names = {
  code: 'TT120',
  question: 'Do containers answer by name?',
  reasons: {
    FolderForeign: {
      severity: 'degraded',
      meaning:
        '`/etc/resolver`, where macOS looks for who knows a domain, is not root’s alone (puma-dev’s setup gives it to a ' +
        'user) or no folder: whoever owns it could swap the file, so tuntapd puts nothing there, and takes its own file out ' +
        'when that leads nowhere. Addresses work without.',
      whatToDo: [
        { text: 'See whose it is', command: 'ls -ld /etc/resolver' },
        {
          text: 'Give it back to root',
          command: 'sudo chown root:wheel /etc/resolver && sudo chmod 755 /etc/resolver',
        },
        tryAgain,
        { text: 'Or do without names', command: 'sudo tuntapctl config set names.manage false' },
      ],
    },
    FileForeign: {
      severity: 'degraded',
      meaning:
        'A file, link or folder that tuntapd has not made, or that somebody has changed since, already says who knows this ' +
        'domain, by its name or by a line `domain`: dinghy, dory and dnsdock use `docker` too. tuntapd leaves it alone, so ' +
        'its names are not asked for.',
      whatToDo: [
        { text: 'See what is there', command: 'ls -l /etc/resolver' },
        {
          text: 'Have the names in another domain',
          command: 'sudo tuntapctl config set names.zone docker.test',
        },
        { text: 'Or remove the file, where nothing of yours needs it any more' },
        tryAgain,
      ],
    },
    NotServed: {
      severity: 'degraded',
      meaning:
        'The server of the names could not be started, could not have a port, or does not answer. The resolver file is ' +
        'gone meanwhile, since each lookup would wait for nothing. It is started again by itself, ever more slowly.',
      whatToDo: [tryAgain, readLogs],
    },
    NotTaken: {
      severity: 'degraded',
      meaning:
        'The resolver file is there and the server answers, but `scutil --dns` has no resolver for this domain and port: ' +
        'macOS does not know of it, or a VPN or a profile has replaced the whole of its DNS.',
      whatToDo: [
        { text: 'See what macOS asks whom', command: 'scutil --dns' },
        { text: 'End VPNs and DNS profiles one by one, and see when it is there' },
        readLogs,
      ],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'The resolver file could not be written or removed; the message has the system’s words. It is tried again, at ' +
        'most a minute apart.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      dependsOn: ['Engine'],
      meaning:
        'The folder of resolvers, what macOS made of it or the list of containers could not be looked at. Names that are ' +
        'known go on being answered, and none is denied.',
      whatToDo: [readLogs],
    },
    Starting: {
      severity: 'transient',
      meaning: 'The server of the names starts; the resolver file follows once it has answered.',
    },
    Down: {
      severity: 'idle',
      dependsOn: ['Ready'],
      meaning: 'The link is to be down, so there are no names: server and resolver file are gone.',
    },
    NotManaged: {
      severity: 'fine',
      meaning: '`names.manage` is false: containers answer by their addresses alone.',
    },
    Ambiguous: {
      severity: 'fine',
      meaning:
        'Several containers, services or aliases claim one name, or a name cannot be one in DNS. Labels go before ' +
        'containers, these before services, and these before aliases.',
      whatToDo: [{ text: 'See each name, and what it stands for', command: 'tuntapctl names' }],
      notice: 'tuntapctl names has every name that several claim, and who has it.',
    },
    NetworkNeeded: {
      severity: 'fine',
      meaning:
        'macOS asks for names only while this Mac has a network: it did not take the `flags` of the resolver file, which ' +
        'are not documented. Addresses work without one.',
      notice: 'Without a network names do not resolve on this macOS; addresses do.',
    },
    Answering: {
      severity: 'fine',
      meaning: 'macOS asks tuntapd for the names of the domain, and tuntapd answers.',
      notice:
        'Some ask nobody of macOS and know no such names: dig, host, nslookup, Node’s dns.resolve, Go programs without ' +
        'cgo, Chrome and Firefox with “secure DNS” on, and everybody under a profile for encrypted DNS or a VPN that takes all DNS.',
    },
  },
} as const satisfies Topic;
