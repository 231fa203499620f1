import { join } from 'node:path';

/** launchd's name of the daemon. */
export const label = 'io.github.tuntapd';

/** Where everything of an installed tuntapd lies. */
export interface Layout {
  /** What everything lies below: `/`. */
  readonly root: string;
  /** Only root may write here or in any folder above it. */
  readonly prefix: string;
  /** Where a new prefix is built, and where the old one waits until the new daemon has answered: same volume. */
  readonly staged: string;
  readonly previous: string;
  /** The runtime that root executes, under a name of its own: a privacy grant names the program. */
  readonly runtime: string;
  /** A second copy of the runtime, for the CLI and for anybody. */
  readonly cliRuntime: string;
  readonly daemon: string;
  /** The program that takes all of this away. */
  readonly uninstaller: string;
  readonly cli: string;
  readonly cliLink: string;
  readonly plist: string;
  readonly socket: string;
  /** The daemon’s second socket, 0600: what root alone may ask. */
  readonly rootSocket: string;
  readonly state: string;
  readonly journal: string;
  /** What is known of each hyperkit that was put aside. */
  readonly originals: string;
  /** Who installs or removes right now: a file for each, root’s alone; absent otherwise. */
  readonly claims: string;
  readonly logs: string;
  /** What launchd itself and a crashing runtime have to say; the daemon writes its own log. */
  readonly launchdLog: string;
  /** Has macOS’s newsyslog rotate that one. */
  readonly rotation: string;
  readonly configuration: string;
  /** Where macOS looks for who knows a domain; others’ files lie there too. */
  readonly resolvers: string;
  /** Where such a file is made, since all that lies there is read: in the folder above, on the same volume. */
  readonly newResolver: string;
  /** Owner of all of it; root and wheel. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Group that may read the log; group `admin` of every Mac. */
  readonly readers: number;
}

/** The layout below `root`; tests and nobody else give another root or owner. */
export function layoutAt(
  root = '/',
  owner: Layout['owner'] = { uid: 0, gid: 0 },
  readers: number = 80,
): Layout {
  const prefix = join(root, 'opt/tuntapd');
  const logs = join(root, 'var/log/tuntapd');
  const state = join(root, 'var/db/tuntapd');
  return {
    root,
    prefix,
    staged: join(root, 'opt/.tuntapd-new'),
    previous: join(root, 'opt/.tuntapd-old'),
    runtime: join(prefix, 'bin/tuntapd'),
    cliRuntime: join(prefix, 'bin/node'),
    daemon: join(prefix, 'lib/tuntapd.mjs'),
    uninstaller: join(prefix, 'lib/uninstall.mjs'),
    cli: join(prefix, 'bin/tuntapctl'),
    cliLink: join(root, 'usr/local/bin/tuntapctl'),
    plist: join(root, `Library/LaunchDaemons/${label}.plist`),
    socket: join(root, 'var/run/tuntapd.sock'),
    rootSocket: join(root, 'var/run/tuntapd-root.sock'),
    state,
    journal: join(state, 'journal.json'),
    originals: join(state, 'originals.json'),
    claims: join(root, 'var/db/tuntapd.claims'),
    logs,
    launchdLog: join(logs, 'launchd.log'),
    rotation: join(root, 'etc/newsyslog.d/tuntapd.conf'),
    configuration: join(root, 'etc/tuntapd'),
    resolvers: join(root, 'etc/resolver'),
    newResolver: join(root, 'etc/.tuntapd-resolver.new'),
    owner,
    readers,
  };
}
