/** `launchctl`: the verbs that the product and its users need, with macOS's texts and exit codes. */
import { spawnSync } from 'node:child_process';
import { call } from '../mac/rpc.js';
import { words, type Outcome } from '../mac/launchd/errno.js';
import { people } from '../mac/people.js';
import { enterSession } from '../mac/session.js';
import { finish, myUid } from './lib/say.js';

const usage = 'Usage: launchctl <subcommand> ... | help [subcommand]\n';
const badTarget = (verb: string, form: string): never =>
  finish(64, { err: `Unrecognized target specifier.\nUsage: launchctl ${verb} ${form}\n` });

const uid = myUid();

function show(prefix: string, { status, text, detail, pid }: Outcome): never {
  if (status === 0)
    finish(0, { out: text ?? (pid === undefined ? '' : `service spawned with pid: ${pid}\n`) });
  const complaint =
    text !== undefined && (status === 113 || status === 64)
      ? text
      : `${prefix}: ${status}: ${words[status] ?? 'Unknown error'}`;
  const hint = status === 5 && text !== undefined ? `${text}\n` : '';
  finish(status, { err: `${detail === undefined ? '' : `${detail}\n`}${complaint}\n${hint}` });
}

const ask = (verb: string, payload: Record<string, unknown>): Promise<Outcome> =>
  call<Outcome>(`launchd.${verb}`, { uid, ...payload });

const isDomain = (target: string): boolean => target === 'system' || /^(gui|user)\/\d+$/.test(target);
const isService = (target: string): boolean => /^(system|(gui|user)\/\d+)\/.+$/.test(target);

async function asuser([who, ...argv]: string[]): Promise<never> {
  if (who === undefined || !/^\d+$/.test(who) || argv.length === 0)
    finish(64, { err: 'Usage: launchctl asuser <UID> <command> [arguments...]\n' });
  const target = Number(who);
  if (uid !== 0 && uid !== target)
    finish(1, { err: 'Could not switch to audit session 0x187c1: 1: Operation not permitted\n' });
  if (!people().some((person) => person.uid === target))
    finish(125, { err: `Could not switch to the bootstrap of uid ${who}: 125: ${words[125] ?? ''}\n` });
  // Without a login there is a bootstrap for the user, but no GUI session behind it.
  const session = await call<{ uid: number } | null>('mac.session');
  if (session?.uid === target && uid === 0) enterSession(target);
  // Credentials stay as they are: the manual says so, and everybody adds `sudo -u`.
  const { status, signal, error } = spawnSync(argv[0] ?? '', argv.slice(1), { stdio: 'inherit' });
  if (error) finish(1, { err: `launchctl: couldn't exec ${argv[0] ?? ''}: No such file or directory\n` });
  if (signal !== null) process.kill(process.pid, signal);
  finish(status ?? 1);
}

const [verb = '', ...args] = process.argv.slice(2);

const toggle = async (): Promise<never> => {
  const [target = '', ...more] = args;
  if (more.length > 0 || !isService(target)) badTarget(verb, '<service-target>');
  return show(`Could not ${verb} service`, await ask('enable', { target, disabled: verb === 'disable' }));
};

const verbs: Readonly<Record<string, () => Promise<never>>> = {
  bootstrap: async () => {
    const [domain = '', ...paths] = args;
    if (!isDomain(domain) || paths.length === 0)
      badTarget(verb, '<domain-target> [service-path, service-path2, ...]');
    for (const path of paths) {
      const outcome = await ask(verb, { target: domain, path });
      if (outcome.status !== 0) show('Bootstrap failed', outcome);
    }
    return finish(0);
  },
  bootout: async () => {
    const [target = '', path, ...more] = args;
    if (more.length > 0 || !(path === undefined ? isService(target) : isDomain(target)))
      badTarget(verb, '<domain-target> [service-path1, ...] | <service-target>');
    return show('Boot-out failed', await ask(verb, { target, ...(path === undefined ? {} : { path }) }));
  },
  kickstart: async () => {
    const options = args.filter((arg) => arg.startsWith('-'));
    const [target = '', ...more] = args.filter((arg) => !arg.startsWith('-'));
    if (options.some((option) => !/^-[kps]+$/.test(option)) || more.length > 0 || !isService(target))
      badTarget(verb, '[-k] [-p] [-s] <service-target>');
    const outcome = await ask(verb, { target, kill: options.some((option) => option.includes('k')) });
    if (outcome.status === 0 && !options.some((option) => option.includes('p'))) finish(0);
    return show('Could not kickstart service', outcome);
  },
  print: async () => {
    const [target = '', ...more] = args;
    if (more.length > 0 || !isService(target)) badTarget(verb, '<domain-target> | <service-target>');
    return show('Could not print', await ask(verb, { target }));
  },
  'print-disabled': async () => {
    const [target = '', ...more] = args;
    if (more.length > 0 || !isDomain(target)) badTarget(verb, '<domain-target>');
    return show('Could not print', await ask(verb, { target }));
  },
  enable: toggle,
  disable: toggle,
  list: async () => {
    const [label, ...more] = args;
    if (more.length > 0) finish(64, { err: 'Usage: launchctl list [service-name]\n' });
    return show('list', await ask(verb, label === undefined ? {} : { label }));
  },
  asuser: () => asuser(args),
};

const chosen = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
if (!chosen) finish(64, { err: verb === '' ? usage : `Unrecognized subcommand: ${verb}\n${usage}` });
await chosen();
