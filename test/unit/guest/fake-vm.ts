/**
 * A VM as plain data, and the agent in it, which reads and changes that data by what it is asked in frames. It shares no
 * code with the product: layouts are those of agent.c and of Linux's headers.
 */

/** What a container's program can do with its streams. */
export interface Streams {
  readonly onStdin: (listener: (bytes: Buffer) => void) => void;
  readonly stdout: (bytes: Buffer) => void;
  readonly stderr: (bytes: Buffer) => void;
  /** Bytes without the engine's header. */
  readonly raw: (bytes: Buffer) => void;
  /** Ends the container. */
  readonly exit: () => void;
}

export interface FakeNic {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  mtu: number;
  up: boolean;
  /** As IFLA_INFO_KIND; undefined for a card. */
  readonly madeAs?: string;
}

export interface FakeProcess {
  readonly name: string;
  readonly uid: number;
  readonly namespaces: string;
  readonly startedAt: number;
  readonly environ: string;
  /** Programs in its mount namespace. */
  readonly programs: readonly string[];
}

export interface FakeVm {
  readonly nics: FakeNic[];
  readonly addresses: { index: number; address: string; prefix: number }[];
  /** Addresses as 32 hexadecimal digits. */
  readonly ipv6: { index: number; address: string; prefix: number }[];
  readonly routes: { address: string | null; prefix: number; index: number; table?: number }[];
  /** Of IPv6; addresses as 32 hexadecimal digits. */
  readonly routes6: { address: string | null; prefix: number; index: number }[];
  /** Files below /proc/sys by their paths there. */
  readonly sysctls: Map<string, string>;
  readonly processes: Map<number, FakeProcess>;
  /** Rules by table and chain, e.g. `filter DOCKER-USER`. */
  readonly chains: Map<string, string[]>;
  /** The same of ip6tables. */
  readonly chains6: Map<string, string[]>;
  /** ARP frames that were sent. */
  readonly announced: { readonly index: number; readonly packet: Buffer }[];
  /** Commands with their words, in the order in which they ran. */
  readonly commands: string[][];
  /** Called before each command: it may change the VM, or answer by an errno or with what iptables refuses. */
  beforeCommand: (words: readonly string[]) => number | string | undefined;
  readonly agent: (streams: Streams) => void;
}

export const errno = { ENOENT: 2, EINVAL: 22, ENODEV: 19, EADDRNOTAVAIL: 99, ENETDOWN: 100, ETIMEDOUT: 110 };
const agentPid = 4242;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
const u16 = (value: number): Buffer => u32(value).subarray(0, 2);
const quad = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** A frame of the agent's answers. */
export function frame(letter: string, body: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length + 1);
  return Buffer.concat([head, Buffer.from(letter), body]);
}
export const done = (status = 0): Buffer => frame('.', u32(status));
export const failed = (number: number, what: string): Buffer =>
  frame('!', Buffer.concat([u32(number), Buffer.from(what)]));

export const attribute = (type: number, value: Buffer): Buffer =>
  Buffer.concat([u16(4 + value.length), u16(type), value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
export const message = (type: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(16 + body.length), u16(type), u16(2), u32(0), u32(0), body]);
};
const end = message(3, u32(0));

/** RTM_NEWLINK of an Ethernet card, or of what the kernel made. */
const linkMessage = ({ index, name, mac, mtu, up, madeAs }: FakeNic): Buffer =>
  message(
    16,
    Buffer.concat([Buffer.alloc(2), u16(name === 'lo' ? 772 : 1), u32(index), u32(up ? 1 : 0), u32(0)]),
    attribute(3, Buffer.from(`${name}\0`)),
    attribute(1, Buffer.from(mac.replaceAll(':', ''), 'hex')),
    attribute(4, u32(mtu)),
    ...(madeAs === undefined ? [] : [attribute(18, attribute(1, Buffer.from(`${madeAs}\0`)))]),
  );

function attributesIn(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; at += (bytes.readUInt16LE(at) + 3) & ~3)
    found.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 4, at + bytes.readUInt16LE(at)));
  return found;
}

/** Answers to a netlink message: what the kernel does with it, and says. */
function kernel(vm: FakeVm, request: Buffer): Buffer {
  const type = request.readUInt16LE(4);
  const body = request.subarray(16);
  const acknowledge = (number: number): Buffer => message(2, u32(-number), request.subarray(0, 16));
  const nic = vm.nics.find(({ index }) => index === body.readUInt32LE(4));
  switch (type) {
    case 18:
      return Buffer.concat([...vm.nics.map(linkMessage), end]);
    case 22:
      // AF_INET6
      if (body.readUInt8(0) === 10)
        return Buffer.concat([
          ...vm.ipv6.map(({ index, address, prefix }) =>
            message(
              20,
              Buffer.from([10, prefix, 0, 0]),
              u32(index),
              attribute(1, Buffer.from(address, 'hex')),
            ),
          ),
          end,
        ]);
      return Buffer.concat([
        ...vm.addresses.map(({ index, address, prefix }) =>
          message(
            20,
            Buffer.from([2, prefix, 0, 0]),
            u32(index),
            attribute(1, quad(address)),
            attribute(2, quad(address)),
          ),
        ),
        end,
      ]);
    case 26:
      if (body.readUInt8(0) === 10)
        return Buffer.concat([
          ...vm.routes6.map(({ address, prefix, index }) =>
            message(
              24,
              Buffer.from([10, prefix, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]),
              ...(address === null ? [] : [attribute(1, Buffer.from(address, 'hex'))]),
              attribute(4, u32(index)),
            ),
          ),
          end,
        ]);
      return Buffer.concat([
        ...vm.routes.map(({ address, prefix, index, table = 254 }) =>
          message(
            24,
            Buffer.from([2, prefix, 0, 0, table, 3, 0, 1, 0, 0, 0, 0]),
            ...(address === null ? [] : [attribute(1, quad(address))]),
            attribute(4, u32(index)),
            attribute(15, u32(table)),
          ),
        ),
        end,
      ]);
    case 16: {
      if (!nic) return acknowledge(errno.ENODEV);
      const mtu = attributesIn(body.subarray(16)).get(4);
      if (mtu) nic.mtu = mtu.readUInt32LE(0);
      if ((body.readUInt32LE(12) & 1) !== 0) nic.up = (body.readUInt32LE(8) & 1) !== 0;
      return acknowledge(0);
    }
    case 20:
    case 21: {
      if (!nic) return acknowledge(errno.ENODEV);
      if (body.readUInt8(0) === 10) return acknowledge(changeIpv6(vm, type, nic.index, body));
      const address = attributesIn(body.subarray(8)).get(2)?.join('.') ?? '';
      const own = { index: nic.index, address, prefix: body.readUInt8(1) };
      const at = vm.addresses.findIndex((one) => JSON.stringify(one) === JSON.stringify(own));
      if (type === 21 && at === -1) return acknowledge(errno.EADDRNOTAVAIL);
      if (type === 21) vm.addresses.splice(at, 1);
      else if (at === -1) vm.addresses.push(own);
      return acknowledge(0);
    }
    default:
      return acknowledge(errno.EINVAL);
  }
}

/** RTM_NEWADDR or RTM_DELADDR of IPv6; one without IFA_F_NODAD would be asked for first. Returns the errno. */
function changeIpv6(vm: FakeVm, type: number, index: number, body: Buffer): number {
  const address = attributesIn(body.subarray(8)).get(2)?.toString('hex') ?? '';
  const own = { index, address, prefix: body.readUInt8(1) };
  const at = vm.ipv6.findIndex((one) => JSON.stringify(one) === JSON.stringify(own));
  if (type === 21) {
    if (at === -1) return errno.EADDRNOTAVAIL;
    vm.ipv6.splice(at, 1);
    return 0;
  }
  if ((body.readUInt8(2) & 0x02) === 0) return errno.EINVAL;
  if (at === -1) vm.ipv6.push(own);
  return 0;
}

/** Letter, what is found, as the agent answers it. */
function look(vm: FakeVm, path: string): Buffer {
  const data = (kind: number, text: string): Buffer =>
    Buffer.concat([frame('D', Buffer.from(text)), done(kind)]);
  if (path === '/proc')
    return data(
      2,
      ['.', '..', 'self', 'meminfo', ...vm.processes.keys(), agentPid].map((name) => `${name}\0`).join(''),
    );
  if (path === '/proc/self') return data(3, String(agentPid));
  const sysctl = vm.sysctls.get(path.replace('/proc/sys/', ''));
  if (sysctl !== undefined) return data(1, sysctl);
  const [, pid = '', what = ''] = /^\/proc\/(\d+)\/(.+)$/.exec(path) ?? [];
  const one =
    Number(pid) === agentPid
      ? { name: 'agent', uid: 0, namespaces: 'vm', startedAt: 9e6, environ: '', programs: [] }
      : vm.processes.get(Number(pid));
  if (!one) return failed(errno.ENOENT, 'open');
  switch (what) {
    case 'comm':
      return data(1, `${one.name}\n`);
    case 'ns/net':
    case 'ns/pid':
      return data(3, `${what.slice(3)}:[${one.namespaces}]`);
    case 'stat':
      // proc(5): the start is the 22nd field.
      return data(1, `${pid} (${one.name}) S ${'0 '.repeat(18)}${one.startedAt} 0 0\n`);
    case 'status':
      return data(1, `Name:\t${one.name}\nUid:\t${`${one.uid}\t`.repeat(4)}\n`);
    case 'environ':
      return data(1, one.environ);
    default:
      return failed(errno.ENOENT, 'open');
  }
}

/** iptables -w SECONDS -t TABLE (-S CHAIN | -I CHAIN NUMBER RULE… | -D CHAIN NUMBER) */
function iptables(
  chains: FakeVm['chains'],
  words: readonly string[],
): { status: number; stdout?: string; stderr?: string } {
  const [wait, seconds, option, table, verb, chain = '', place, ...rule] = words;
  if (wait !== '-w' || !/^\d+$/.test(seconds ?? '') || option !== '-t')
    return { status: 2, stderr: 'iptables: unknown option' };
  const rules = chains.get(`${table ?? ''} ${chain}`);
  if (!rules) return { status: 1, stderr: 'iptables: No chain/target/match by that name.\n' };
  const at = Number(place) - 1;
  if (verb === '-S')
    return {
      status: 0,
      stdout: [`-N ${chain}`, ...rules.map((line) => `-A ${chain} ${line}`), ''].join('\n'),
    };
  if (verb === '-I' && at >= 0 && at <= rules.length) rules.splice(at, 0, rule.join(' '));
  else if (verb === '-D' && rules[at] !== undefined) rules.splice(at, 1);
  else return { status: 1, stderr: 'iptables: Index of insertion too big.\n' };
  return { status: 0 };
}

function run(vm: FakeVm, body: Buffer): Buffer {
  const words = body.toString('utf8', 12).split('\0').slice(0, body.readUInt32LE(8));
  const [program = '', ...rest] = words;
  vm.commands.push(words);
  const instead = vm.beforeCommand(words);
  const one = vm.processes.get(body.readUInt32LE(0));
  if (!one) return failed(errno.ENOENT, 'open ns/mnt');
  if (!one.programs.includes(program)) return failed(errno.ENOENT, 'exec');
  if (typeof instead === 'number') return failed(instead, 'run');
  const {
    status,
    stdout = '',
    stderr = '',
  } = typeof instead === 'string'
    ? { status: 4, stderr: instead }
    : iptables(program.endsWith('/ip6tables') ? vm.chains6 : vm.chains, rest);
  return Buffer.concat([
    ...(stdout === '' ? [] : [frame('O', Buffer.from(stdout))]),
    ...(stderr === '' ? [] : [frame('E', Buffer.from(stderr))]),
    done(status << 8),
  ]);
}

function announce(vm: FakeVm, body: Buffer): Buffer {
  const nic = vm.nics.find(({ index }) => index === body.readUInt32LE(0));
  if (nic?.up !== true) return failed(nic ? errno.ENETDOWN : errno.ENODEV, 'sendto');
  vm.announced.push({ index: nic.index, packet: body.subarray(4) });
  return done();
}

/** A VM with Docker's ways out, our NIC as eth1 and one dockerd. */
export function fakeVm(mac: string): FakeVm {
  const vm: FakeVm = {
    nics: [
      { index: 1, name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, up: true },
      { index: 2, name: 'eth0', mac: '02:50:00:00:00:01', mtu: 1500, up: true },
      { index: 3, name: 'eth1', mac, mtu: 1500, up: false },
      { index: 4, name: 'docker0', mac: '02:42:00:00:00:01', mtu: 1500, up: true, madeAs: 'bridge' },
    ],
    addresses: [
      { index: 2, address: '192.168.65.3', prefix: 24 },
      { index: 4, address: '172.17.0.1', prefix: 16 },
    ],
    ipv6: [{ index: 2, address: 'fe80000000000000d04a6efffe3ad683', prefix: 64 }],
    routes: [
      { address: null, prefix: 0, index: 2 },
      { address: '192.168.65.0', prefix: 24, index: 2 },
      { address: '172.17.0.0', prefix: 16, index: 4 },
    ],
    routes6: [{ address: 'fe800000000000000000000000000000', prefix: 64, index: 2 }],
    sysctls: new Map(),
    processes: new Map([[900, dockerd()]]),
    chains: new Map([
      ['raw PREROUTING', ['-d 172.17.0.2/32 ! -i docker0 -j DROP']],
      ['filter DOCKER-USER', ['-s 10.9.9.9/32 -j DROP']],
      ['filter FORWARD', ['-j DOCKER-USER']],
    ]),
    chains6: new Map(),
    announced: [],
    commands: [],
    beforeCommand: () => undefined,
    agent: (streams) => {
      let rest = Buffer.alloc(0);
      streams.onStdin((bytes) => {
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
          const letter = rest.toString('latin1', 4, 5);
          const body = rest.subarray(5, 4 + rest.readUInt32BE(0));
          rest = rest.subarray(4 + rest.readUInt32BE(0));
          if (letter === 'N')
            streams.stdout(Buffer.concat([frame('D', kernel(vm, body.subarray(4))), done()]));
          else if (letter === 'R') streams.stdout(look(vm, body.toString()));
          else if (letter === 'X') streams.stdout(run(vm, body));
          else if (letter === 'A') streams.stdout(announce(vm, body));
          else {
            if (letter === 'Q') streams.stdout(done());
            streams.exit();
          }
        }
      });
    },
  };
  return vm;
}

/** A process of the VM: its own dockerd, unless told otherwise. */
export const dockerd = (other: Partial<FakeProcess> = {}): FakeProcess => ({
  name: 'dockerd',
  uid: 0,
  namespaces: 'vm',
  startedAt: 1000,
  environ: 'HOME=/\0PATH=/usr/local/bin:/usr/sbin\0',
  programs: ['/usr/sbin/iptables'],
  ...other,
});
