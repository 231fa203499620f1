/** What commands print, whole, in several states of a Mac. */
import { describe, expect, test } from '@jest/globals';
import { scenes } from './scenes.js';
import { session } from './session.js';

const mac = session();
const { cli, daemon, onTerminal } = mac;

describe('transcripts, each looked at', () => {
  const states = ['healthy', 'a conflict with a VPN', 'dead'] as const;
  const commands = ['doctor TT008 TT103 TT108 TT109', 'routes', 'routes --all', 'ping web', 'version', 'up'];
  const cases = [
    ...states.flatMap((state) => commands.map((command) => [command, state] as const)),
    ['doctor --list', 'healthy'] as const,
    ['config show', 'healthy'] as const,
  ].flatMap((each) => [80, 120].map((columns) => [...each, columns] as const));

  test.each(cases)('%s, %s, in %i columns', async (command, state, columns) => {
    if (state !== 'dead') await daemon(scenes[state]);
    onTerminal({}, columns);
    const { run } = mac.io;
    mac.io = {
      ...mac.io,
      run: (file, args) =>
        file === '/sbin/route'
          ? Promise.resolve({ stdout: 'gateway: 10.0.75.2\ninterface: tap1\n', stderr: '', exitCode: 0 })
          : run(file, args),
    };
    const code = await cli(...command.split(' '));
    const said = `${mac.out}${mac.errors}`
      .replaceAll(mac.root, '')
      .replaceAll(/node \d+\.\d+\.\d+/g, 'node N.N.N');
    expect(`\n$ tuntapctl ${command}\n${said}[exit ${code}]\n`).toMatchSnapshot();
  });
});
