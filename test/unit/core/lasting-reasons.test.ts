import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { setConfigValues } from '../../../config/edit.js';
import { parseConfig } from '../../../config/parse.js';
import { configSchema } from '../../../config/schema.js';
import { type DockerNetwork, seen } from '../../../daemon/core/observation.js';
import { type RouteVerdict } from '../../../daemon/core/routes/verdicts.js';
import { lan, network, resolversAt, startedMac, up } from './worlds.js';
import { judgeRoutes } from './judged.js';

const judged = (
  networks: readonly DockerNetwork[],
  config = configSchema.parse({}),
): readonly RouteVerdict[] =>
  judgeRoutes(
    config,
    { ...startedMac(networks, lan), resolvers: seen(resolversAt('9.9.9.9', '172.30.5.3')) },
    up,
  );

/** What is told of a network’s only subnet among others, and alone. */
const told = (networks: readonly DockerNetwork[], name: string): RouteVerdict | undefined =>
  judged(networks).find((verdict) => verdict.network === name);

test.each([
  ['172.92.0.0/8', /outside of routes\.allow.*, and it is larger than \/12 \(routes\.minPrefix\)/],
  ['0.0.0.0/0', /outside of routes\.allow/],
  ['10.0.0.0/8', /larger than \/12 \(routes\.minPrefix\)/],
])('beside a network that it overlaps %s is refused by the rule that outlasts that one', (subnet, why) => {
  const others = [network('bridge', '172.17.0.0/16'), network('app', '10.5.0.0/16')];
  expect(told([...others, network('wide', subnet)], 'wide')).toMatchObject({
    state: 'refused',
    why: expect.stringMatching(why) as unknown,
  });
});

test('of a resolver and a gateway in one subnet the gateway is told, which routes.force does not overrule', () => {
  const observation = {
    ...startedMac([network('app', '192.168.1.0/25')], lan),
    resolvers: seen(resolversAt('192.168.1.53')),
  };
  for (const force of [[], ['192.168.1.0/25']])
    expect(judgeRoutes(configSchema.parse({ routes: { force } }), observation, up)).toMatchObject([
      {
        state: 'foreign',
        why: expect.stringMatching(/192\.168\.1\.1, the gateway.*never covered/) as unknown,
      },
    ]);
});

const subnet = fc
  .tuple(
    fc.constantFrom('10.5', '10.96', '172.17', '172.30', '192.168', '8.8'),
    fc.integer({ min: 0, max: 7 }),
    fc.constantFrom(0, 8, 12, 16, 22, 24),
  )
  .map(([begin, third, prefix]) => `${begin}.${third}.0/${prefix}`);

const networks = fc
  .array(subnet, { minLength: 1, maxLength: 8 })
  .map((subnets) => subnets.map((text, index) => network(`n${index}`, text)));

test('what a network is refused by alone it is refused by in any company, in the same words', () => {
  fc.assert(
    fc.property(networks, (all) => {
      for (const one of all) {
        const alone = told([one], one.name);
        if (alone?.state === 'refused' || alone?.state === 'foreign')
          expect(told(all, one.name)).toEqual(alone);
      }
    }),
  );
});

test('removing the network that a reason names makes that reason go, and nothing that waited behind it appears', () => {
  fc.assert(
    fc.property(networks, (all) => {
      for (const { network: name, state, why } of judged(all)) {
        const other = /^Docker network (\w+) /.exec(why)?.[1];
        if (state !== 'refused' || other === undefined) continue;
        const after = told(
          all.filter((each) => each.name !== other),
          name,
        );
        expect(after?.why).not.toContain(`Docker network ${other} `);
        expect(after?.why).toMatch(/^Docker network |not in the routing table yet/);
      }
    }),
  );
});

describe('what no rule of the operator’s lets through is told with the command that does', () => {
  test.each([
    [
      '100.64.7.0/24',
      'sudo tuntapctl config set routes.allow 10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.7.0/24',
    ],
    ['10.0.0.0/10', 'sudo tuntapctl config set routes.minPrefix 10'],
    [
      '100.64.0.0/10',
      'sudo tuntapctl config set routes.allow 10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10 routes.minPrefix 10',
    ],
  ])('%s', (subnet, command) => {
    const why = told([network('wide', subnet)], 'wide')?.why ?? '';
    expect(why.split('`')[1]).toBe(command);
    const [, , , , ...words] = command.split(' ');
    const settings = words.flatMap((word, index) =>
      index % 2 === 0 ? [[word, words[index + 1] ?? ''] as const] : [],
    );
    const mended = parseConfig(setConfigValues('', settings), '/etc/tuntapd/config.toml');
    expect(
      judged([network('wide', subnet)], mended).find(({ network }) => network === 'wide')?.why,
    ).not.toContain('routes.');
  });

  test('but for one that is larger than any may be', () => {
    expect(told([network('wide', '0.0.0.0/0')], 'wide')?.why).toMatch(/routes\.minPrefix\)$/);
  });
});
