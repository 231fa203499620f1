/** `open [-g|--background] -a APPLICATION`: starts Docker.app in the user's session and returns at once. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { groupsOf, people } from '../mac/people.js';
import { enterSession } from '../mac/session.js';
import { guiUser } from './lib/gui.js';
import { finish, myUid } from './lib/say.js';

const usage =
  'Usage: open [-e] [-t] [-f] [-W] [-R] [-n] [-g] [-h] [-s <partial SDK name>][-b <bundle identifier>] [-a <application>] [-u URL] [filenames] [--args arguments]\n';
const args = process.argv.slice(2);
let application: string | undefined;
while (args.length > 0) {
  const option = args.shift() ?? '';
  if (option === '-a') application = args.shift();
  else if (option !== '-g' && option !== '--background')
    finish(1, {
      err: option.startsWith('-')
        ? `open: unrecognized option \`${option}'\n${usage}`
        : `The file ${option} does not exist.\n`,
    });
}
if (application === undefined) finish(1, { err: usage });
const name = application.replace(/^.*\//, '').replace(/\.app$/, '');
const bundle = application.startsWith('/') ? application : `/Applications/${name}.app`;
if (!existsSync(bundle)) finish(1, { err: `Unable to find application named '${application}'\n` });
const user = await guiUser();
if (!user || (myUid() !== 0 && myUid() !== user.uid))
  finish(1, { err: `LSOpenURLsWithRole() failed with error -10810 for the file ${bundle}.\n` });
const person = people().find(({ uid }) => uid === user.uid);
if (!person) finish(1, { err: `LSOpenURLsWithRole() failed with error -10810 for the file ${bundle}.\n` });

const data = `${person.home}/Library/Containers/com.docker.docker/Data`;
/** The app that runs already is brought to the front, no second one started. */
const running = (): boolean => {
  try {
    const pid = Number(readFileSync(`${data}/docker-app.pid`, 'utf8'));
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${bundle}/Contents/MacOS/`);
  } catch {
    return false;
  }
};
if (running()) finish(0);
if (myUid() === 0) {
  process.setgroups?.(groupsOf(person));
  process.setgid?.(person.gid);
  process.setuid?.(person.uid);
} else enterSession(person.uid);
mkdirSync(data, { recursive: true });
const log = openSync(`${data}/docker-app.log`, 'a');
spawn('/.lab/bin/node', ['/.lab/lib/docker-app.js', bundle], {
  detached: true,
  cwd: '/',
  stdio: ['ignore', log, log],
  // An app inherits the environment of whoever opens it (open(1)).
  env: {
    ...process.env,
    PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: person.home,
    USER: person.name,
    LOGNAME: person.name,
    SHELL: person.shell,
    TMPDIR: '/tmp/',
  },
}).unref();
finish(0);
