/** IPv6, as tests speak of it. */
import type { Mac } from '../../lab/lab.js';
import { until } from '../../lib/until.js';
import { restartDockerd } from './dockerd.js';
import { answers, dockerOf, must, pingFromMac } from './vocabulary.js';

/** The settings of an engine whose default bridge has IPv6, and which guards it as it does IPv4. */
export const withIpv6 = { ipv6: true, 'fixed-cidr-v6': 'fd00:d0c::/64' };
/** Engines before 27 have such rules only where they are told to. */
export const withIp6tables = { ...withIpv6, experimental: true, ip6tables: true };

/** Has the engine start anew with these settings. */
export const setEngine = (mac: Mac, settings: object): Promise<void> =>
  restartDockerd(mac, {
    begun: `mkdir -p /etc/docker; echo '${JSON.stringify(settings)}' >/etc/docker/daemon.json`,
  });

export const table6 = (mac: Mac): Promise<string> => must(mac, ['/usr/sbin/netstat', '-rn', '-f', 'inet6']);

/** Waits until a web server answers the Mac's HTTP and ping on its IPv6 address; returns that address. */
export async function answers6(mac: Mac, name: string, network = 'bridge', seconds = 180): Promise<string> {
  const address = await dockerOf(mac).address6(name, network);
  await answers(mac, name, `[${address}]`, seconds);
  await until(`${name} answers a ping`, 90, () => pingFromMac(mac, address));
  return address;
}
