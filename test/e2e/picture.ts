/** `make picture`: docs/terminal.svg, of what a terminal of a lab Mac with a real VM shows. */
import { writeFileSync } from 'node:fs';
import { bootMac } from '../lab/lab.js';
import { type Shown, terminalSvg } from '../lib/terminal-svg.js';
import { until } from '../lib/until.js';
import { containerAnswers, dockerOf, install, must, openDocker } from './lib/vocabulary.js';

const columns = 80;
const say = (line: string): void => {
  console.log(line);
};

const mac = await bootMac({ engine: 'sid', progress: say });
try {
  await install(mac);
  await openDocker(mac);
  const docker = dockerOf(mac);
  const address = await containerAnswers(mac, 'web');
  await docker.createNetwork('shop_default');
  for (const service of ['db', 'web'])
    await docker.serve(`shop-${service}-1`, 'shop_default', {
      labels: { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': service },
    });
  await until('all of it is told', 60, async () =>
    /shop-db-1 +\S+ +db\.shop\.docker/.test(
      (await mac.asUser(['/usr/local/bin/tuntapctl', 'status'])).stdout,
    ),
  );
  /** On a terminal of its own, as whoever sits there has one. */
  const type = async (command: string): Promise<Shown> => {
    const script = `stty cols ${columns} rows 50; ${command}`;
    const { stdout } = await mac.asUser(['/usr/bin/script', '-qec', script, '/dev/null'], {
      env: { TERM: 'xterm-256color', NO_COLOR: '' },
    });
    return { command, output: stdout };
  };
  const shown = [
    await type(`curl -s http://${address}/`),
    await type('tuntapctl status'),
    await type('tuntapctl ping shop-web-1'),
  ];
  const title = `A terminal: ${shown.map(({ command }) => command).join(', ')}`;
  writeFileSync('docs/terminal.svg', terminalSvg(shown, { columns, title }));
  say('docs/terminal.svg is written');
  await must(mac, ['/usr/local/bin/tuntapctl', 'uninstall', '--purge'], 120_000);
} finally {
  await mac.end();
}
