import { type ChildProcess, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { cleanEnvironment } from '../lib/command.js';
import { tellLatest } from '../lib/latest.js';
import type { Look } from './outside.js';
import { statsOf } from './outside-look.js';

/** A bundle’s own folders, from the app down to where hyperkit has been. */
const inside = ['', 'Contents', 'Contents/MacOS', 'Contents/Resources', 'Contents/Resources/bin'];

/** The folders to watch for an app: that which holds it, and those inside. */
const foldersOf = (app: string): string[] => [dirname(app), ...inside.map((folder) => join(app, folder))];

/** Milliseconds for which a child that has said something is not listened to: what it says meanwhile waits in its pipe. */
const minInterval = 250;
/** Milliseconds after which a child that ended is started again: at first, and at the most. */
const firstPause = 1000;
const maxPause = 300_000;
/** A child that lived for so long, in ms, did well. */
const goodLife = 60_000;
/** Users whose folders are watched at a time. */
const maxChildren = 4;

/** `nobody` of every Mac: nothing belongs to it, and every folder of root's that matters may be read. */
const nobody = 4_294_967_294;
/** `staff`, every Mac user's own group. */
const staff = 20;

export interface BundleWatch {
  /** Watches what can change these Docker.apps from now on; what is not there (yet) once a later call finds it. */
  readonly follow: (apps: readonly string[]) => Promise<void>;
  readonly stop: () => void;
}

interface Child {
  readonly follow: (folders: readonly string[]) => void;
  readonly stop: () => void;
}

/** A child that watches with the rights of `uid`, started again whenever it ends. */
function keepChild(worker: string, uid: number, onChange: () => void): Child {
  let child: ChildProcess | null = null;
  let folders: readonly string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let listening: NodeJS.Timeout | undefined;
  let pause = firstPause;
  let stopped = false;

  /** Tells the child which folders to watch from now on. */
  let tell = (): void => undefined;

  function start(): void {
    const began = performance.now();
    const started = spawn(process.execPath, [worker], {
      env: cleanEnvironment,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child = started;
    const { stdin, stdout } = started;
    for (const part of [stdin, stdout]) part.on('error', () => undefined);
    // What it says is a user's: that it spoke counts, never the words, and how often is for us to say.
    stdout.on('data', () => {
      onChange();
      stdout.pause();
      listening = setTimeout(() => stdout.resume(), minInterval);
    });
    tell = tellLatest(stdin, () => `${JSON.stringify(folders)}\n`);
    stdin.write(`${JSON.stringify({ uid, gid: uid === nobody ? nobody : staff })}\n`, tell);
    const ended = (): void => {
      if (child !== started) return;
      stdin.destroy();
      stdout.destroy();
      clearTimeout(listening);
      child = null;
      if (stopped) return;
      if (performance.now() - began > goodLife) pause = firstPause;
      timer = setTimeout(() => {
        start();
        // What changed meanwhile nobody has told.
        onChange();
      }, pause);
      pause = Math.min(maxPause, pause * 2);
    };
    started.once('error', ended).once('exit', ended);
  }

  return {
    follow: (next) => {
      folders = next;
      if (child) tell();
      else if (timer === undefined) start();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(listening);
      child?.kill('SIGKILL');
      child?.unref();
    },
  };
}

/**
 * Says when something changed in or around a Docker.app. The watching is done by children, by the program at `worker`,
 * each with the rights of whoever owns the app, or else the folder where it would be: opening a folder is a thing that
 * its owner can make hang. For root's a child of nobody does it, since admins may change what lies in /Applications.
 */
export function watchBundles(parts: { worker: string; look: Look; onChange: () => void }): BundleWatch {
  const { worker, look, onChange } = parts;
  const children = new Map<number, Child>();
  let stopped = false;

  /** Null where nothing is, or it does not answer. */
  async function ownerOf(app: string): Promise<number | null> {
    const answers = await look(app, [app, dirname(app)]).catch(() => []);
    const uid = answers.map(statsOf).find((stats) => stats !== null)?.uid;
    return uid === undefined ? null : uid === 0 ? nobody : uid;
  }

  return {
    follow: async (apps) => {
      const wanted = new Map<number, Set<string>>();
      for (const app of new Set(apps)) {
        const uid = await ownerOf(app);
        if (uid === null || (!wanted.has(uid) && wanted.size >= maxChildren)) continue;
        wanted.set(uid, new Set([...(wanted.get(uid) ?? []), ...foldersOf(app)]));
      }
      if (stopped) return;
      for (const [uid, child] of children)
        if (!wanted.has(uid)) {
          children.delete(uid);
          child.stop();
        }
      for (const [uid, folders] of wanted) {
        const child = children.get(uid) ?? keepChild(worker, uid, onChange);
        children.set(uid, child);
        child.follow([...folders]);
      }
    },
    stop: () => {
      stopped = true;
      for (const child of children.values()) child.stop();
    },
  };
}
