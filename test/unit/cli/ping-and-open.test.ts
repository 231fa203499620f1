/** The hops of `tuntapctl ping`, and where `tuntapctl open` leads. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { madeUpStatus } from './made-up.js';
import { healthyStatus } from './scenes.js';
import { session } from './session.js';

const mac = session();
const { cli, daemon } = mac;

describe('ping and open', () => {
  const opened: string[] = [];
  beforeEach(async () => {
    opened.length = 0;
    await daemon(healthyStatus);
    const table = '    gateway: 10.0.75.2\n  interface: tap1\n';
    mac.io = {
      ...mac.io,
      run: (file, args) => {
        if (file === '/usr/bin/open') opened.push(...args);
        return Promise.resolve({ stdout: file === '/sbin/route' ? table : '', stderr: '', exitCode: 0 });
      },
    };
  });

  test('a container that answers: each hop, and 0', async () => {
    expect(await cli('ping', 'web')).toBe(0);
    expect(mac.out).toMatch(/^ok container +web runs with 172\.17\.0\.2\n[^]*ok ports +80 is open\n$/);
  });

  test('one whose program does not listen: where it ends, and 1', async () => {
    expect(await cli('ping', 'shop-db-1')).toBe(1);
    expect(mac.out).toMatch(/FAIL ports +5432: nobody listens\n +-> docker logs shop-db-1/);
    mac.out = '';
    expect(await cli('ping', 'shop-db-1', '--json')).toBe(1);
    expect(JSON.parse(mac.out)).toMatchObject({ address: '172.18.0.2', reached: false });
  });

  test('a name that nobody has is guessed', async () => {
    expect(await cli('ping', 'shop-bd-1')).toBe(1);
    expect(mac.errors).toContain('did you mean shop-db-1');
  });

  test('open goes to the likeliest port, once somebody listens there', async () => {
    expect(await cli('open', 'web')).toBe(0);
    expect(await cli('open', '172.17.0.2:80')).toBe(0);
    expect(opened).toEqual(['http://172.17.0.2/', 'http://172.17.0.2/']);
    expect(await cli('open', 'shop-db-1')).toBe(1);
    expect(mac.errors).toContain(
      'nobody listens on port 5432 of shop-db-1 (ECONNREFUSED): see tuntapctl ping shop-db-1',
    );
    expect(await cli('open', 'web:http')).toBe(2);
    expect(opened).toHaveLength(2);
  });

  test('open takes an IPv6 address, with a port as URLs have it', async () => {
    await mac.server?.close();
    const [web, ...others] = healthyStatus.containers ?? [];
    if (!web) throw new Error('no container');
    const endpoints = [{ network: 'bridge', address: 'fd00:d0c::2' }];
    await daemon({
      ...healthyStatus,
      containers: [{ ...web, endpoints }, ...others],
      ...(healthyStatus.link && {
        link: {
          ...healthyStatus.link,
          ipv6: { address: 'fd3e::1', peer: 'fd3e::2', network: 'fd3e::/126', state: 'up' },
        },
      }),
    });
    mac.io = { ...mac.io, connect: () => Promise.resolve({ alive: true, said: 'connected' }) };
    expect(await cli('open', 'fd00:d0c::2')).toBe(0);
    expect(await cli('open', '[fd00:d0c::2]')).toBe(0);
    expect(await cli('open', '[fd00:d0c::2]:8080')).toBe(0);
    expect(opened).toEqual(['http://[fd00:d0c::2]/', 'http://[fd00:d0c::2]/', 'http://[fd00:d0c::2]:8080/']);
    expect(await cli('open', '[fd00:d0c::2]:http')).toBe(2);
    expect(await cli('open', 'fd00:d0c::3')).toBe(1);
    expect(mac.errors).toContain('no running container is called fd00:d0c::3');
  });

  test('open takes a name to the browser, which tells it to whom it asks; where macOS finds none, an address', async () => {
    expect(await cli('open', 'blog.web.docker:80')).toBe(0);
    await mac.server?.close();
    const conditions = healthyStatus.conditions.map((each) =>
      each.type === 'Names' ? { ...each, status: 'False' as const } : each,
    );
    await daemon({ ...healthyStatus, conditions });
    expect(await cli('open', 'blog.web.docker')).toBe(0);
    expect(opened).toEqual(['http://blog.web.docker/', 'http://172.17.0.2/']);
  });

  test('root opens nothing itself: whoever called sudo does, or nobody', async () => {
    const ran: string[] = [];
    const { run } = mac.io;
    mac.io = {
      ...mac.io,
      uid: 0,
      env: { SUDO_UID: '501' },
      run: (file, args) => {
        ran.push([file, ...args].join(' '));
        return run(file, args);
      },
    };
    expect(await cli('open', 'web')).toBe(0);
    expect(ran).toEqual(['/usr/bin/sudo -u #501 /usr/bin/open http://172.17.0.2/']);
    for (const env of [{}, { SUDO_UID: '0' }, { SUDO_UID: '-1' }]) {
      mac.io = { ...mac.io, env };
      mac.errors = '';
      expect(await cli('open', 'web')).toBe(1);
      expect(mac.errors).toContain('http://172.17.0.2/');
    }
    expect(ran).toHaveLength(1);
  });

  test('before the containers are known', async () => {
    await mac.server?.close();
    await daemon(madeUpStatus());
    expect(await cli('ping', 'web')).toBe(1);
    expect(mac.errors).toContain('containers are not known');
  });
});
