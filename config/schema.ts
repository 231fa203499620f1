import * as z from 'zod';
import { link6Problem, linkProblem } from './link.js';
import { allowedListen, listenOf } from './listen.js';
import { allowedZone, isOwnZone } from './zone.js';

/** No `minPrefix` of these sections may be less: a subnet that is larger still is nobody's. */
export const leastPrefix = { routes: 8, ipv6: 16 } as const;

/** What `allowed` says is what people read when a value is wrong, and in the reference. */
const ipv4 = z.ipv4().meta({ allowed: 'an IPv4 address, like 10.0.75.1' });
const ipv6 = z.ipv6().meta({ allowed: 'an IPv6 address, like fd3e:d10f:52ef:75::1' });
const cidr6 = z.cidrv6().meta({ allowed: 'an IPv6 network, like fc00::/7' });
const anyCidr = z
  .union([z.cidrv4(), z.cidrv6()])
  .meta({ allowed: 'a network, like 172.16.0.0/12 or fd00:dead::/48' });
const cidr = z.cidrv4().meta({ allowed: 'an IPv4 network, like 172.16.0.0/12' });
const mac = z
  .string()
  .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'a MAC address in lower case, like 02:74:75:6e:74:61')
  .refine(
    (value) => (Number.parseInt(value.slice(0, 2), 16) & 3) === 2,
    'a locally administered unicast MAC address (x2, x6, xa or xe in the first octet)',
  )
  .meta({
    allowed:
      'a locally administered MAC address in lower case (x2, x6, xa or xe in the first octet), like 02:74:75:6e:74:61',
  });
const path = z
  .string()
  .startsWith('/', 'an absolute path')
  .meta({ allowed: 'an absolute path, like /Applications/Docker.app' });
const text = z.string().min(1).meta({ allowed: 'text that is not empty' });
/** Docker's own filter terms; a network's name can hold no `=`. */
const choice = text
  .regex(/^([^=]+|driver=.+|label=.+)$/s, 'a name, driver=NAME, label=KEY or label=KEY=VALUE')
  .meta({ allowed: 'a network’s name like app_*, driver=NAME, label=KEY or label=KEY=VALUE' });

/** Of a key that Docker's VM is started with. */
const withNextVm = { inForce: 'when Docker’s VM next starts' };
/** Of a key with which the link is made anew. */
const withNewLink = {
  inForce: 'within ten seconds; containers are out of reach until the link is made anew',
};

const section = <T extends z.core.$ZodLooseShape>(shape: T) => z.strictObject(shape).prefault({} as never);

/** Every key an operator may set: its type, its default and what it is for. The reference page is made from this. */
export const configSchema = z.strictObject({
  restartDocker: z
    .enum(['auto', 'ask', 'never'])
    .default('auto')
    .describe(
      'What to do when the VM runs without our tap: restart Docker when nobody would notice, only say so, or nothing.',
    ),
  notifications: z
    .boolean()
    .default(true)
    .describe(
      'Whether the user in front of the Mac is told, once each: that Docker needs a restart, that the shim is back after an update of Docker, and that nothing goes on without a person.',
    ),
  link: z
    .enum(['auto', 'tap', 'vmnet'])
    .default('auto')
    .meta(withNewLink)
    .describe(
      'How Mac and VM reach each other: by a tap, which a VM of HyperKit’s can have; or by a network that macOS shares with a VM of Apple’s Virtualization framework (vmnet). `auto` follows what Docker’s VM runs by.',
    ),
  tap: z
    .strictObject({
      device: z
        .string()
        .regex(/^tap([0-9]|1[0-5])$/, 'one of tap0 … tap15')
        .meta({ allowed: 'one of tap0 … tap15' })
        .default('tap1')
        .meta(withNextVm)
        .describe('Which of the kext’s 16 devices is ours.'),
      mac: mac
        .default('02:74:75:6e:74:61')
        .meta(withNextVm)
        .describe('MAC of the tap’s NIC in the VM, by which it is found there.'),
      address: ipv4.default('10.0.75.1').meta(withNewLink).describe('The Mac’s end of a tap.'),
      peer: ipv4
        .default('10.0.75.2')
        .meta(withNewLink)
        .describe('The VM’s end of a tap: the gateway of its routes.'),
      prefix: z
        .int()
        .min(8)
        .max(30)
        .default(30)
        .meta(withNewLink)
        .describe('Prefix length of a tap’s network.'),
      mtu: z.int().min(576).max(1500).default(1500).meta(withNewLink).describe('MTU of both ends of a tap.'),
    })
    .superRefine((tap, context) => {
      // An end cannot be judged by what is wrong by itself.
      if (context.issues.some(({ path }) => ['address', 'peer', 'prefix'].includes(String(path?.[0]))))
        return;
      const problem = linkProblem(tap);
      if (problem) context.addIssue({ code: 'custom', path: [problem.key], message: problem.message });
    })
    .prefault({}),
  docker: section({
    context: text
      .default('auto')
      .meta(withNewLink)
      .describe(
        'Whose engine is followed: `auto`, the user’s Docker Desktop, or, while that does not run, the runtime (colima, Lima, Rancher Desktop) that docker’s current context leads to; or the name of a context.',
      ),
    app: path.optional().describe('A Docker.app that is neither in /Applications nor in ~/Applications.'),
  }),
  shim: section({
    manage: z.boolean().default(true).describe('Whether hyperkit gets (and keeps) the shim.'),
    wait: z
      .int()
      .min(0)
      .max(30)
      .default(5)
      .meta(withNextVm)
      .describe(
        'The most seconds that the shim waits for the tap device to become ours before it starts Docker without it.',
      ),
  }),
  guest: section({
    manage: z
      .boolean()
      .default(true)
      .describe('Whether the VM’s firewall, and over a tap its interface, are set up.'),
  }),
  routes: section({
    manage: z.boolean().default(true).describe('Whether the networks’ subnets are routed on the Mac.'),
    allow: z
      .array(cidr)
      .default(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'])
      .describe('Subnets outside of these ranges are never routed.'),
    include: z
      .array(choice)
      .default(['*'])
      .describe(
        'Which Docker networks are routed: by name, driver or label. `*` stands for any characters, and a label without a value for any value.',
      ),
    exclude: z.array(choice).default([]).describe('Which of them are not, in the same form.'),
    minPrefix: z
      .int()
      .min(leastPrefix.routes)
      .max(32)
      .default(12)
      .describe('The shortest prefix that is routed: with 12 a /12 is, a /11 is not.'),
    force: z
      .array(anyCidr)
      .default([])
      .describe(
        'Subnets that are routed although an interface or a route of somebody else has addresses of theirs. A DNS resolver may lie in one of them, where it is a container. One that would take a gateway away, or that is routed already with the very same prefix, cannot be forced. With the link’s own network listed, the link may lie in somebody’s larger one on the Mac.',
      ),
    extra: z
      .array(anyCidr)
      .default([])
      .describe(
        'Further subnets that are routed through the VM, of pods and services of a Kubernetes in it for instance (`["10.96.0.0/12", "10.1.0.0/16"]`): the VM has to know the way from there. `allow`, `minPrefix` (which lets a /12 pass), `force` and whatever else on the Mac has a subnet hold for them as for Docker’s (for one of IPv6 those of `[ipv6]`); `include` and `exclude` do not.',
      ),
  }),
  ipv6: z
    .strictObject({
      manage: z
        .boolean()
        .default(true)
        .meta(withNewLink)
        .describe(
          'Whether the IPv6 subnets of Docker’s networks are routed too. Without such a network nothing is done for it.',
        ),
      address: ipv6
        .default('fd3e:d10f:52ef:75::1')
        .meta(withNewLink)
        .describe('The Mac’s end of a tap by IPv6.'),
      peer: ipv6
        .default('fd3e:d10f:52ef:75::2')
        .meta(withNewLink)
        .describe('The VM’s end of it: the gateway of its IPv6 routes.'),
      prefix: z
        .int()
        .min(64)
        .max(126)
        .default(126)
        .meta(withNewLink)
        .describe('Prefix length of a tap’s IPv6 network.'),
      allow: z
        .array(cidr6)
        .default(['fc00::/7'])
        .describe(
          'IPv6 subnets outside of these ranges are never routed. Link-local, multicast and mapped IPv4 addresses never are.',
        ),
      minPrefix: z
        .int()
        .min(leastPrefix.ipv6)
        .max(128)
        .default(48)
        .describe('The shortest IPv6 prefix that is routed: with 48 a /48 is, a /47 is not.'),
    })
    .superRefine((ends, context) => {
      if (context.issues.some(({ path }) => ['address', 'peer', 'prefix'].includes(String(path?.[0]))))
        return;
      const problem = link6Problem(ends);
      if (problem) context.addIssue({ code: 'custom', path: [problem.key], message: problem.message });
    })
    .prefault({}),
  names: section({
    manage: z
      .boolean()
      .default(true)
      .describe('Whether containers answer by name: `web.docker` for a container called web.'),
    zone: z
      .string()
      .refine(isOwnZone, allowedZone)
      .meta({ allowed: allowedZone })
      .default('docker')
      .describe(
        'The domain of these names. This Mac asks tuntapd alone for everything below it, so it must be nobody’s: `docker.test` is reserved for such a use (RFC 6761), `docker` is only not taken yet.',
      ),
  }),
  metrics: section({
    listen: z
      .string()
      .refine((text) => listenOf(text) !== null, allowedListen)
      .meta({ allowed: allowedListen })
      .optional()
      .describe(
        'Where Prometheus may ask for what `tuntapctl metrics` prints, at `/metrics`: without this only the control socket has it. Anybody who is logged in to this Mac can read it then.',
      ),
  }),
  log: section({
    level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('How much is logged.'),
    maxSize: z.int().min(65_536).default(5_242_880).describe('Bytes after which the log is rotated.'),
    maxFiles: z.int().min(1).max(50).default(5).describe('How many rotated logs are kept.'),
  }),
});

export type Config = z.infer<typeof configSchema>;
