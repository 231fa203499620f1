/** `make demo`: the story, told by the machine itself. */
import { parseArgs } from 'node:util';
import { bootMac, type EngineName } from '../lab/lab.js';
import { story } from './lib/story.js';
import { phaseIs } from './lib/vocabulary.js';

const engines = ['bookworm', 'trixie', 'sid'] as const;

const { values } = parseArgs({ options: { engine: { type: 'string', default: 'sid' } } });
const engine = engines.find((name) => name === values.engine);
if (!engine) {
  console.error(`--engine is one of ${engines.join(', ')}, not ${values.engine}`);
  process.exit(2);
}

async function tell(name: EngineName): Promise<boolean> {
  const say = (line: string): void => {
    console.log(line);
  };
  const mac = await bootMac({
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
    const chapters = story(mac);
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

process.exitCode = (await tell(engine)) ? 0 : 1;
