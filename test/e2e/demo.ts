/** `make demo`: the story, told by the machine itself. */
import { parseArgs } from 'node:util';
import { bootMac, type EngineName } from '../lab/lab.js';
import { macOf, story, type StoryLink } from './lib/story.js';
import { phaseIs } from './lib/vocabulary.js';

const engines = ['bookworm', 'trixie', 'sid'] as const;

const links = ['tap', 'vmnet'] as const;

const { values } = parseArgs({
  options: { engine: { type: 'string', default: 'sid' }, link: { type: 'string', default: 'tap' } },
});

/** The one of this name; ends the process where it is none of them. */
function chosen<T extends string>(option: string, names: readonly T[], name: string): T {
  const found = names.find((one) => one === name);
  if (found !== undefined) return found;
  console.error(`--${option} is one of ${names.join(', ')}, not ${name}`);
  process.exit(2);
}

async function tell(name: EngineName, link: StoryLink): Promise<boolean> {
  const say = (line: string): void => {
    console.log(line);
  };
  const mac = await bootMac({
    ...macOf[link],
    engine: name,
    progress: (line) => {
      say(`  ${line}`);
    },
  });
  const stop = (): void => {
    void mac.end().finally(() => process.exit(130));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const chapters = story(mac, link);
    for (const [index, { title, play }] of chapters.entries()) {
      const began = Date.now();
      const seconds = (): string => ((Date.now() - began) / 1000).toFixed(1).padStart(6);
      if (index === chapters.length - 1) {
        // The container may answer a moment before the helper container has reported.
        await phaseIs(mac, 'ready', 30).catch(() => undefined);
        say('\n$ tuntapctl status');
        say((await mac.run(['/usr/local/bin/tuntapctl', 'status'])).stdout);
        say('$ tuntapctl logs -n 5');
        say((await mac.run(['/usr/local/bin/tuntapctl', 'logs', '-n', '5'])).stdout);
      }
      try {
        await play();
        say(`✓ ${seconds()} s  ${title}`);
      } catch (error) {
        say(`✗ ${seconds()} s  ${title}`);
        say(error instanceof Error ? error.message : String(error));
        return false;
      }
    }
    return true;
  } finally {
    await mac.end();
  }
}

const engine = chosen('engine', engines, values.engine);
const link = chosen('link', links, values.link);
process.exitCode = (await tell(engine, link)) ? 0 : 1;
