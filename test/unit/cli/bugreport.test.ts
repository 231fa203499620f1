/** What a report tells strangers: nothing of whose Mac it is, wherever that stands. */
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Condition, Status } from '../../../daemon/api/messages.js';
import { healthyStatus } from './scenes.js';
import { type Stage, stage } from './stage.js';

let mac: Stage;
beforeEach(async () => {
  mac = await stage();
});
afterEach(() => mac.end());

/** A status in which no list names what its messages name. */
function statusSaying(...messages: readonly string[]): Status {
  const conditions = messages.map((message, index): Condition => ({
    type: `Made${index}`,
    status: 'False',
    reason: 'Up',
    message,
    since: healthyStatus.since,
  }));
  return { ...healthyStatus, containers: undefined, names: null, routes: [], conditions };
}

const logLine = (message: string, more: object = {}): string =>
  `${JSON.stringify({ time: '2026-03-04T05:06:07.000Z', level: 'info', message, ...more })}\n`;

const tellings: readonly (readonly [message: string, names: readonly string[]])[] = [
  ['container acme-payroll would be interrupted', ['acme-payroll']],
  [
    '7 names below docker; pay-roll.docker is container pay_roll, and not container merger or service hera of olymp, which asks for it too',
    ['pay-roll', 'pay_roll', 'merger', 'hera', 'olymp'],
  ],
  [
    'zeus.docker is alias ares on network mars, and not container 1 of service apollo of delphi, which asks for it too',
    ['zeus', 'ares', 'mars', 'apollo', 'delphi'],
  ],
  [
    'container athena_: athena- has a part that is not made of letters, digits and hyphens between them',
    ['athena_'],
  ],
  [
    'fd00:dead::/64; but hermes, hestia and 2 more may not answer by IPv6: up to Docker Engine 27',
    ['hermes', 'hestia'],
  ],
  ['fd00:dead::/64 (poseidon (sea)): a VPN has it', ['poseidon']],
  ['TapAddress is False: taken in the VM by Docker network demeter (fd00:dead::/64)', ['demeter']],
  ['grace (uid 502) came', ['grace']],
  ['/Volumes/Payroll/Docker.app does not answer', ['Payroll']],
  ['/etc/resolver/acme.example is not made by tuntapd; 3 names below acme.example', ['acme']],
];

test.each(tellings)('masked in every file, whether or not a daemon answers: %s', async (message, names) => {
  await writeFile(mac.io.logPath, logLine(message));
  for (const isThere of [true, false]) {
    if (isThere) await mac.daemon(statusSaying(message));
    else await mac.silence();
    const { code, out } = await mac.cli(['bugreport', '--show']);
    expect(code).toBe(0);
    expect(out).toContain('tuntapd.log');
    for (const name of names) expect(out.toLowerCase()).not.toContain(name.toLowerCase());
  }
});

test('what no list of the status has is masked in the status and in doctor’s findings, and in no other way', async () => {
  await mac.daemon(statusSaying('container acme-payroll would be interrupted'));
  const { out } = await mac.cli(['bugreport', '--show']);
  const [, word = ''] = /"message": "container (name-\d+) would be interrupted"/.exec(out) ?? [];
  expect(out).toContain(`"detail": "Up: container ${word} would be interrupted"`);
});

test('the user of a step, and a zone of one’s own, wherever it stands', async () => {
  await mac.daemon(statusSaying('7 names below intra.acme.example'));
  await writeFile(mac.io.configPath, '[names]\nzone = "intra.acme.example"\n', { mode: 0o644 });
  await writeFile(
    mac.io.logPath,
    logLine('tell-user: once', {
      step: { kind: 'tell-user', user: { uid: 502, name: 'grace', home: '/Users/grace' } },
    }) +
      logLine('write-resolver', { step: { kind: 'write-resolver', zone: 'intra.acme.example' } }) +
      logLine('grace, of web.intra.acme.example'),
  );
  const { out } = await mac.cli(['bugreport', '--show']);
  expect(out).not.toMatch(/grace|acme/);
  expect(out).toMatch(/zone = "host-\d+"/);
});

test('a zone that anybody may have stays, and so do the product’s own words', async () => {
  await mac.daemon(statusSaying('7 names below docker', 'the service of names is down'));
  await writeFile(mac.io.configPath, '[names]\nzone = "docker.test"\n', { mode: 0o644 });
  const { out } = await mac.cli(['bugreport', '--show']);
  expect(out).toContain('zone = "docker.test"');
  expect(out).toContain('7 names below docker"');
  expect(out).toContain('the service of names is down');
});
