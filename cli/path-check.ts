/** The way from this Mac to a container, hop by hop, each checked; it ends where the first one does not hold. */
import type { Route, RunningContainer, Status } from '../daemon/api/messages.js';
import { questionOf } from '../daemon/api/reasons/registry.js';
import { causeOf } from '../daemon/api/reasons/consequences.js';
import { commandLine } from '../daemon/lib/command.js';
import { addressText, contains, isIpv6, parseAddress, parsePrefix } from '../daemon/lib/prefix.js';
import { isPrintedAs } from '../daemon/lib/printed-name.js';
import { plain } from '../daemon/lib/text.js';
import { addressNamed } from './dns-names.js';
import type { Io } from './io.js';

export interface Hop {
  readonly hop: 'container' | 'network' | 'link' | 'route' | 'VM' | 'firewall' | 'ports';
  readonly status: 'pass' | 'fail';
  readonly detail: string;
  /** What to do, mostly commands. */
  readonly fix: readonly string[];
}

/** Who is to be reached: a container by one of its addresses, or an address of which no container is known. */
export interface Target {
  readonly name: string;
  readonly container: RunningContainer | null;
  readonly address: string | null;
}

/** The part of the outside that is asked. */
export type Outside = Pick<Io, 'run' | 'connect'>;

/** More of a container's ports are not tried one by one. */
const maxPorts = 8;

const pass = (hop: Hop['hop'], detail: string): Hop => ({ hop, status: 'pass', detail, fix: [] });
const fail = (hop: Hop['hop'], detail: string, ...fix: string[]): Hop => ({
  hop,
  status: 'fail',
  detail,
  fix,
});

const doctorOf = (type: string): string => `tuntapctl doctor ${questionOf(type)?.code ?? ''}`.trim();

/** A docker command about a container, to paste: by its id where the name is none that docker gives (moby names.go). */
function dockerCommand({ name, container }: Target, ...words: readonly string[]): string {
  const isName = /^[A-Za-z0-9][\w.-]*$/.test(name);
  const id = /^[0-9a-f]{12,}$/.test(container?.id ?? '') ? container?.id.slice(0, 12) : undefined;
  return commandLine('docker', [...words, isName ? name : (id ?? name)]);
}

const within = ({ subnet }: Route, address: string): boolean => {
  const [network, host] = [parsePrefix(subnet), parseAddress(address)];
  return network !== null && host !== null && contains(network, host);
};

/** The routes of Docker's networks in which an address lies. */
const routesTo = ({ routes }: Status, address: string): readonly Route[] =>
  routes.filter((route) => within(route, address));

/** An address as it is usually written (RFC 5952), also out of the brackets of a URL; anything else as it is. */
function canonical(said: string): string {
  const parsed = parseAddress(/^\[(.*)\]$/.exec(said)?.[1] ?? said);
  return parsed ? addressText(parsed) : said;
}

/**
 * The running container that somebody means by its name, one of its names in the zone, the beginning of an id, or an
 * address; null: none.
 */
export function targetOf(status: Status, meant: string): Target | null {
  const containers = status.containers ?? [];
  const named = containers.find(({ name }) => name === meant);
  const said = canonical((named ? null : addressNamed(status, meant)) ?? meant);
  const found =
    named ??
    containers.find(({ endpoints }) => endpoints.some(({ address }) => canonical(address) === said)) ??
    (/^[0-9a-f]{4,64}$/.test(said) ? containers.find(({ id }) => id.startsWith(said)) : undefined);
  if (!found)
    return routesTo(status, said).length > 0 ? { name: said, container: null, address: said } : null;
  const addresses = found.endpoints.map(({ address }) => address);
  const isRouted = (address: string): boolean =>
    routesTo(status, address).some(({ state }) => state === 'routed');
  const address =
    addresses.find((each) => canonical(each) === said) ?? addresses.find(isRouted) ?? addresses[0] ?? null;
  return { name: plain(found.name, 100), container: found, address };
}

/** Gateway and interface in what `route -n get` says (route.tproj/route.c, print_getmsg). */
function wayIn(said: string): { gateway: string | null; interface: string | null } {
  const of = (name: string): string | null => new RegExp(`^ *${name}: (\\S+)$`, 'm').exec(said)?.[1] ?? null;
  return { gateway: of('gateway'), interface: of('interface') };
}

/** The link by the family of an address. */
interface Way {
  readonly interface: string;
  /** The Mac's end. */
  readonly address: string;
  /** The VM's. */
  readonly peer: string;
  /** What asks macOS for the way to an address of this family. */
  readonly get: readonly string[];
}

/** The way that leads to an address while the link is up by its family; null: there is none. */
function wayTo({ link }: Status, address: string): Way | null {
  if (!link) return null;
  const ends = isIpv6(address) ? link.ipv6 : link;
  if (ends?.state !== 'up') return null;
  const get = isIpv6(address) ? ['-n', 'get', '-inet6'] : ['-n', 'get'];
  return { interface: link.interface, address: ends.address, peer: ends.peer, get };
}

async function routeHop(address: string, link: Way, outside: Outside): Promise<Hop> {
  const command = [...link.get, address];
  const { stdout, stderr } = await outside.run('/sbin/route', command);
  const way = wayIn(stdout);
  // The link has the name that the table prints; route prints the whole one.
  const isLinks = way.interface !== null && isPrintedAs(way.interface, link.interface);
  if (isLinks && way.gateway === link.peer)
    return pass('route', `${address} leaves by ${link.interface} to ${link.peer}`);
  const where =
    way.interface === null ? plain(stderr || stdout, 200) : `it leaves by ${plain(way.interface, 30)}`;
  const by = way.gateway === null ? '' : ` to ${plain(way.gateway, 60)}`;
  return fail(
    'route',
    `this Mac does not send ${address} to the VM: ${where}${by}`,
    commandLine('route', command),
    'tuntapctl up',
    doctorOf(isIpv6(address) ? 'Ipv6' : 'Routes'),
  );
}

/** What macOS says to a program that may not talk to the local network, though the way is there (macOS 15, TN3179). */
const isRefusedHere = (said: string): boolean => said === 'EHOSTUNREACH' || said === 'EPERM';

const privacy =
  'In System Settings, Privacy & Security, Local Network, switch on the terminal program that you use, then try again';

async function portsHop(target: Target, address: string, from: string, outside: Outside): Promise<Hop> {
  const ports = target.container?.ports ?? [];
  if (ports.length === 0) return pass('ports', 'its image names no TCP port');
  const tried = await Promise.all(
    ports.slice(0, maxPorts).map(async (port) => ({ port, ...(await outside.connect(address, port, from)) })),
  );
  const words = tried.map(({ port, said, alive }) =>
    said === 'connected' ? `${port} is open` : alive ? `${port}: nobody listens` : `${port}: ${said}`,
  );
  const left = ports.length - tried.length;
  const detail = `${words.join(', ')}${left > 0 ? `, and ${left} more not tried` : ''}`;
  return tried.some(({ said }) => said === 'connected')
    ? pass('ports', detail)
    : fail(
        'ports',
        detail,
        dockerCommand(target, 'logs'),
        isIpv6(address)
          ? 'See that the program in it listens on [::], not on 0.0.0.0 or [::1] alone'
          : 'See that the program in it listens on 0.0.0.0, not on 127.0.0.1',
      );
}

/** Each hop as it has been checked, the last one the first that does not hold. */
export async function* checkPath(status: Status, target: Target, outside: Outside): AsyncGenerator<Hop> {
  const { address, container, name } = target;
  if (address === null) {
    yield fail(
      'container',
      `${name} runs, and has no address of its own: it is on no network, the VM’s (host), or another container’s`,
      dockerCommand(target, 'network', 'connect', 'bridge'),
    );
    return;
  }
  yield pass(
    'container',
    container ? `${name} runs with ${address}` : `no container is known to have ${address}`,
  );

  const [route = null] = routesTo(status, address).toSorted((a, b) => b.subnet.length - a.subnet.length);
  const endpoint = container?.endpoints.find((each) => each.address === address);
  const network = plain(route?.network ?? endpoint?.network ?? '', 80);
  if (status.phase === 'down') {
    yield fail('network', `${network} is not routed: the link was taken down by hand`, 'tuntapctl up');
    return;
  }
  if (route?.state !== 'routed') {
    const why = route ? `${route.state}: ${plain(route.why, 1000)}` : 'Docker names no subnet that has it';
    yield fail('network', `${network} is not routed (${why})`, 'tuntapctl routes --all');
    return;
  }
  yield pass('network', `${network} has ${route.subnet}, which is routed`);

  const link = wayTo(status, address);
  if (!link) {
    const by6 = status.conditions.find(({ type, status: is }) => type === 'Ipv6' && is !== 'True');
    const isOnly6 = isIpv6(address) && status.link?.state === 'up';
    const cause = (isOnly6 ? by6 : undefined) ?? causeOf(status.conditions);
    yield fail(
      'link',
      cause ? plain(cause.message, 1000) : 'the link is not up',
      doctorOf(cause?.type ?? 'TapAddress'),
    );
    return;
  }
  yield pass('link', `${link.interface} is up: ${link.address} here, ${link.peer} in the VM`);

  const route0 = await routeHop(address, link, outside);
  yield route0;
  if (route0.status === 'fail') return;

  const [vm, inside] = await Promise.all([
    outside.connect(link.peer, null, link.address),
    outside.connect(address, null, link.address),
  ]);
  const isAlive = status.conditions.some(({ type, status: is }) => type === 'DataPath' && is === 'True');
  if (!vm.alive && !inside.alive && isAlive && isRefusedHere(vm.said)) {
    yield fail('VM', `macOS keeps this program from it (${vm.said}): the daemon reaches it`, privacy);
    return;
  }
  // A VM with a firewall of its own may be silent, and its containers may answer.
  if (!vm.alive && !inside.alive) {
    yield fail('VM', `${link.peer} does not answer (${vm.said})`, 'tuntapctl restart', doctorOf('DataPath'));
    return;
  }
  yield pass('VM', vm.alive ? `${link.peer} answers` : `${link.peer} is silent, as a firewall may want it`);
  if (!inside.alive) {
    yield fail(
      'firewall',
      `the VM answers, ${address} does not (${inside.said}): a firewall in the VM, or in the container, or it is paused`,
      dockerCommand(target, 'inspect', '--format', '{{.State.Status}}'),
      'tuntapctl up',
      doctorOf('Guest'),
    );
    return;
  }
  yield pass('firewall', `${address} answers through it`);
  yield await portsHop(target, address, link.address, outside);
}
