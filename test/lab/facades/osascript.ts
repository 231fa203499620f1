/** `osascript -e LINE… [ARGUMENT…]`, of AppleScript only what the product says: quit an app, show a notification. */
import { existsSync, readFileSync } from 'node:fs';
import { call } from '../mac/rpc.js';
import { people } from '../mac/people.js';
import { guiUser } from './lib/gui.js';
import { finish, myUid } from './lib/say.js';

const args = process.argv.slice(2);
const lines: string[] = [];
while (args[0]?.startsWith('-') && args[0] !== '-') {
  const option = args.shift() ?? '';
  if (option === '--') break;
  const line = option === '-e' ? args.shift() : undefined;
  if (line === undefined)
    finish(2, {
      err: `osascript: illegal option -- ${option.slice(1)}\nusage: osascript [-l language] [-e script] [-i] [-s {ehso}] [programfile] [argument ...]\n`,
    });
  lines.push(line);
}
const script = lines.map((line) => line.trim()).join('\n');

/** An AppleScript string, or `item N of argv`. */
const literal = '("(?:[^"\\\\]|\\\\.)*"|\\(?item \\d+ of argv\\)?)';
const evaluate = (expression: string): string => {
  const item = /^\(?item (\d+) of argv\)?$/.exec(expression);
  if (item) {
    const value = args[Number(item[1]) - 1];
    if (value === undefined)
      finish(1, { err: `0:0: execution error: Can’t get item ${item[1] ?? ''} of argv. (-1728)\n` });
    return value;
  }
  return expression.slice(1, -1).replace(/\\(.)/g, '$1');
};

const body = /^on run argv\n([\s\S]*)\nend run$/.exec(script)?.[1] ?? script;
const quit = /^(?:quit app|tell app(?:lication)?) "([^"]+)"(?: to quit)?$/.exec(body);
const notify = new RegExp(
  `^display notification ${literal}(?: with title ${literal})?(?: subtitle ${literal})?(?: sound name ${literal})?$`,
).exec(body);

if (quit) {
  const user = await guiUser();
  // Apple events go to the session's own applications.
  if (!user)
    finish(1, {
      err: `0:${body.length}: execution error: ${quit[1] ?? ''} got an error: Application isn’t running. (-600)\n`,
    });
  if (!existsSync(`/Applications/${quit[1] ?? ''}.app`))
    finish(1, {
      err: `0:${body.length}: execution error: Can’t get application "${quit[1] ?? ''}". (-1728)\n`,
    });
  if (!(await call<boolean>('privacy.automation')))
    finish(1, {
      err: `0:${body.length}: execution error: Not authorized to send Apple events to ${quit[1] ?? ''}. (-1743)\n`,
    });
  await quitDocker(user.uid);
} else if (notify) {
  const user = await guiUser();
  if (!user || myUid() !== user.uid)
    finish(1, { err: `osascript[${process.pid}]: NSNotificationCenter connection invalid\n` });
  const [, text, title, subtitle] = notify;
  await call('mac.notify', {
    uid: user.uid,
    text: evaluate(text ?? '""'),
    title: evaluate(title ?? '""'),
    subtitle: evaluate(subtitle ?? '""'),
  });
} else {
  finish(1, {
    err: `0:${script.length}: syntax error: A identifier can’t go after this identifier. (-2740)\n`,
  });
}
finish(0);

/** Sends the app its end and waits for it, as AppleScript waits for the reply: at most two minutes. */
async function quitDocker(uid: number): Promise<void> {
  const home = people().find((person) => person.uid === uid)?.home ?? '';
  let pid: number;
  try {
    pid = Number(readFileSync(`${home}/Library/Containers/com.docker.docker/Data/docker-app.pid`, 'utf8'));
    process.kill(pid, 'SIGTERM');
  } catch {
    // An app that does not run has nothing to quit: AppleScript starts and ends it, to the eye it does nothing.
    return;
  }
  const end = Date.now() + 120_000;
  while (existsSync(`/proc/${pid}`)) {
    if (Date.now() > end)
      finish(1, {
        err: `0:${body.length}: execution error: Docker got an error: AppleEvent timed out. (-1712)\n`,
      });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
