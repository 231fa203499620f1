/**
 * `ps` in BSD's grammar (adv_cmds, ps.c), with the keywords that anybody here asks for: `ps awwxo pid=,args=`,
 * `ps -axww -o pid=,ppid=,uid=,args=`, `ps -p N -o comm=`. comm is argv[0] as on macOS (print.c), not Linux's 15
 * characters. The lab's own processes do not show: pid 1 is launchd, and what the machine starts is its child.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { basename } from 'node:path';
import { ownerOf, pids, statOf } from '../mac/processes.js';
import { people } from '../mac/people.js';
import { type Caller, finish } from './lib/served.js';
import { vis } from './lib/vis.js';

const usage = `usage: ps [-AaCcEefhjlMmrSTvwXx] [-O fmt | -o fmt] [-G gid[,gid...]]
          [-u]
          [-p pid[,pid...]] [-t tty[,tty...]] [-U user[,user...]]
       ps [-L]
`;

interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly state: string;
  readonly started: Date;
  readonly cpu: number;
  readonly memory: number;
  readonly argv: readonly string[];
}

interface Column {
  readonly header: string;
  readonly width: number;
  readonly left?: boolean;
  readonly show: (process: Process) => string;
}

const clock = 100;
const bootTime = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
const pageSize = 4096;
const machine = process.pid;

function commandOf(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const argv = text.replace(/\0+$/, '').split('\0');
    // A facade is a program on a Mac, not a script.
    return /^\/\.lab\/bin\/(?:node|perl)$/.test(argv[0] ?? '') && !argv[1]?.startsWith('/.lab/')
      ? argv.slice(1)
      : argv;
  } catch {
    return [];
  }
}

function look(pid: number): Process | null {
  const stat = statOf(pid);
  const uid = ownerOf(pid);
  if (!stat || uid === null || pid === machine) return null;
  const parent = Number(stat[1]);
  // A helper of the machine, in the lab's own folder, is no part of the Mac.
  const argv = commandOf(pid);
  if (parent === machine && (argv[0] ?? '').startsWith('/.lab/')) return null;
  const startTicks = Number(stat[19]);
  const used = (Number(stat[11]) + Number(stat[12])) / clock;
  const age = Math.max(1, Date.now() / 1000 - bootTime - startTicks / clock);
  return {
    pid,
    // 0 is "outside of this pid namespace": whoever was let in from there is a Terminal's, hence launchd's.
    ppid: pid === 1 ? 0 : parent === machine || parent === 0 ? 1 : parent,
    uid,
    state: stat[0] ?? '?',
    // From ticks since boot and the boot time, both constant: the same in every call.
    started: new Date((bootTime + Math.floor(startTicks / clock)) * 1000),
    cpu: Math.min(100, (100 * used) / age),
    memory: (100 * Number(stat[21]) * pageSize) / totalmem(),
    argv: pid === 1 ? ['/sbin/launchd'] : argv,
  };
}

/** `%c` in the C locale, in local time: `Tue Nov 24 02:17:58 2026`, the day padded with a blank. */
const lstart = (date: Date): string => {
  const [day, month] = date.toDateString().split(' ');
  const time = date.toTimeString().slice(0, 8);
  return `${day ?? ''} ${month ?? ''} ${String(date.getDate()).padStart(2)} ${time} ${date.getFullYear()}`;
};

const nameOf = (uid: number): string => people().find((person) => person.uid === uid)?.name ?? String(uid);
const argsOf = ({ state, argv }: Process): string =>
  state === 'Z' || argv.length === 0 ? '<defunct>' : vis(argv.join(' '));
/** A title that a process gave itself is one string, name and options together. */
const comm = ({ state, argv }: Process): string =>
  state === 'Z' ? '<defunct>' : vis((argv.length === 1 ? argv[0]?.split(' -')[0] : argv[0]) ?? '<defunct>');
/** p_comm, the last part of the program's path, cut at MAXCOMLEN; the lab knows that path by argv[0]. */
const ucomm = ({ state, argv }: Process): string =>
  state === 'Z' ? '<defunct>' : basename(argv[0]?.split(' -')[0] ?? '').slice(0, 16);

const columns: Readonly<Record<string, Column>> = {
  pid: { header: 'PID', width: 5, show: ({ pid }) => String(pid) },
  ppid: { header: 'PPID', width: 5, show: ({ ppid }) => String(ppid) },
  uid: { header: 'UID', width: 5, show: ({ uid }) => String(uid) },
  user: { header: 'USER', width: 16, left: true, show: ({ uid }) => nameOf(uid) },
  '%cpu': { header: '%CPU', width: 5, show: ({ cpu }) => cpu.toFixed(1) },
  '%mem': { header: '%MEM', width: 4, show: ({ memory }) => memory.toFixed(1) },
  lstart: { header: 'STARTED', width: 28, left: true, show: ({ started }) => lstart(started) },
  stat: { header: 'STAT', width: 4, left: true, show: ({ state }) => state },
  tt: { header: 'TT', width: 4, left: true, show: () => '??' },
  time: { header: 'TIME', width: 9, show: () => '0:00.00' },
  comm: { header: 'COMM', width: 16, left: true, show: comm },
  ucomm: { header: 'UCOMM', width: 16, left: true, show: ucomm },
  args: { header: 'ARGS', width: 16, left: true, show: argsOf },
  command: { header: 'COMMAND', width: 16, left: true, show: argsOf },
};
const aliases: Readonly<Record<string, string>> = {
  pcpu: '%cpu',
  pmem: '%mem',
  state: 'stat',
  tty: 'tt',
};

export function ps({ args, uid: me, columns: wide }: Caller): never {
  const words = [...args];
  // BSD: the first word may lack its dash.
  if (words[0] !== undefined && !words[0].startsWith('-')) words[0] = `-${words[0]}`;
  let all = false;
  let chosen: number[] | null = null;
  let users: number[] | null = null;
  const format: { column: Column; header: string }[] = [];
  // Nobody's terminal has a size here (ps/ps.c).
  let lineWidth = wide === '' ? 79 : Number(wide);
  let wides = 0;

  function addFormat(text: string): void {
    // `keyword=header` takes the rest of the argument as the header; an empty one between commas is none.
    for (const part of text.split(',')) {
      const [keyword = '', ...header] = part.split('=');
      const column = columns[aliases[keyword] ?? keyword];
      if (!column)
        finish(1, { err: `ps: ${keyword}: keyword not found\nps: no valid keywords; valid keywords:\n` });
      format.push({ column, header: part.includes('=') ? header.join('=') : column.header });
    }
  }
  const numbers = (list: string): number[] =>
    list.split(/[,\s]+/).map((one) => {
      if (!/^\d+$/.test(one)) finish(1, { err: `ps: illegal process id: ${one}\n${usage}` });
      return Number(one);
    });

  while (words.length > 0) {
    const word = words.shift() ?? '';
    if (!word.startsWith('-')) {
      chosen = numbers(word);
      continue;
    }
    for (let letters = word.slice(1); letters !== ''; letters = letters.slice(1)) {
      const letter = letters[0] ?? '';
      if ('oOpUu'.includes(letter) && !(letter === 'u' && letters === 'u')) {
        const value = letters.length > 1 ? letters.slice(1) : words.shift();
        if (value === undefined) finish(1, { err: `ps: option requires an argument -- ${letter}\n${usage}` });
        if (letter === 'p') chosen = numbers(value);
        else if (letter === 'o' || letter === 'O') addFormat(value);
        else
          users = value
            .split(',')
            .map((name) => people().find((person) => person.name === name)?.uid ?? Number(name));
        break;
      }
      // a alone adds others' processes that have a terminal, and here nobody has one.
      if ('Aex'.includes(letter)) all = true;
      else if (letter === 'w') {
        wides += 1;
        lineWidth = wides > 1 ? Infinity : Math.max(lineWidth, 131);
      } else if (!'acfjlmrSTvhEu'.includes(letter))
        finish(1, { err: `ps: illegal option -- ${letter}\n${usage}` });
    }
  }
  if (format.length === 0) addFormat('pid,tt,time,command');

  const everybody = (chosen ?? pids())
    .map(look)
    .filter((one) => one !== null)
    .filter(({ uid }) => users === null || users.includes(uid))
    // Without x or A only the caller's own.
    .filter(({ uid }) => chosen !== null || users !== null || all || uid === me)
    .sort((one, other) => one.pid - other.pid);

  const left = lineWidth - format.slice(0, -1).reduce((sum, { column }) => sum + column.width + 1, 0);
  const cells = (texts: readonly string[]): string =>
    texts
      .map((text, index) => {
        const column = format[index]?.column;
        if (!column) return text;
        // The last one fills the line; one that finds no place there has its own width (ps/print.c).
        if (index === format.length - 1 && column.left) return text.slice(0, left < 1 ? column.width : left);
        return column.left ? text.padEnd(column.width) : text.padStart(column.width);
      })
      .join(' ');

  const header = format.some(({ header }) => header !== '')
    ? `${cells(format.map(({ header }) => header))}\n`
    : '';
  finish(everybody.length === 0 ? 1 : 0, {
    out: header + everybody.map((one) => `${cells(format.map(({ column }) => column.show(one)))}\n`).join(''),
  });
}
