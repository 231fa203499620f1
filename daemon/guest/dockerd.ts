import type { Conversation } from './agent/conversation.js';

/** What tells one process of the VM from another. */
export interface GuestProcess {
  readonly pid: number;
  /** Its name (comm, proc(5)): whoever runs can choose it. */
  readonly name: string;
  /** Whose it is; anybody can call a program dockerd. */
  readonly uid: number;
  /** The network and process namespaces it lives in, as the kernel names them. */
  readonly namespaces: string;
  /** When it was started, in ticks since the VM's start. */
  readonly startedAt: number;
}

/**
 * The VM's own dockerd: root's, in the very namespaces that the agent sees, the first one that was started: a later one
 * is in somebody's container (kind, dind), which may share the VM's namespaces. Null when there is none. Pure.
 */
export function pickDockerd(processes: readonly GuestProcess[], namespaces: string): GuestProcess | null {
  const [first = null] = processes
    .filter((each) => each.name === 'dockerd' && each.uid === 0 && each.namespaces === namespaces)
    .toSorted((a, b) => a.startedAt - b.startedAt || a.pid - b.pid);
  return first;
}

/** The folders of PATH in a process's environment (/proc/PID/environ), or the usual ones where it has none. Pure. */
export function foldersOf(environ: string): readonly string[] {
  const own = environ.split('\0').find((entry) => entry.startsWith('PATH='));
  const usual = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const folders = `${own?.slice('PATH='.length) ?? ''}:${usual}`.split(':');
  return [...new Set(folders.filter((folder) => folder.startsWith('/')))];
}

async function text(agent: Conversation, path: string): Promise<string | null> {
  // A process may end at any moment, and another user's may not be read.
  const found = await agent.read(path).catch(() => null);
  if (found === null) return null;
  return found.kind === 'link' ? found.target : found.kind === 'file' ? found.bytes.toString() : null;
}

const namespacesOf = async (agent: Conversation, pid: string): Promise<string> =>
  (await Promise.all(['net', 'pid'].map((kind) => text(agent, `/proc/${pid}/ns/${kind}`)))).join(' ');

async function lookAt(agent: Conversation, pid: string): Promise<GuestProcess[]> {
  const name = (await text(agent, `/proc/${pid}/comm`))?.trim();
  if (name !== 'dockerd') return [];
  const [namespaces, stat, status] = await Promise.all([
    namespacesOf(agent, pid),
    text(agent, `/proc/${pid}/stat`),
    text(agent, `/proc/${pid}/status`),
  ]);
  // The fields after the name, which may hold anything; the start is the 22nd of all (proc(5)).
  const startedAt = Number(stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status ?? '')?.[1]);
  return Number.isInteger(startedAt) && Number.isInteger(uid)
    ? [{ pid: Number(pid), name, uid, namespaces, startedAt }]
    : [];
}

/** The VM's dockerd and the folders in which it looks for programs; null when there is none. */
export async function findDockerd(
  agent: Conversation,
): Promise<{ readonly pid: number; readonly folders: readonly string[] } | null> {
  const [all, self] = await Promise.all([agent.read('/proc'), text(agent, '/proc/self')]);
  const pids = all.kind === 'folder' ? all.names.filter((name) => /^\d+$/.test(name)) : [];
  const [own, ...found] = await Promise.all([
    namespacesOf(agent, self ?? ''),
    ...pids.map((pid) => lookAt(agent, pid)),
  ]);
  const dockerd = pickDockerd(found.flat(), own);
  if (!dockerd) return null;
  const environ = await text(agent, `/proc/${dockerd.pid}/environ`);
  return { pid: dockerd.pid, folders: foldersOf(environ ?? '') };
}
