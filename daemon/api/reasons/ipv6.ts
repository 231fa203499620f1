import type { Topic } from './record.js';
import { anotherSubnet, readLogs, showRoutes, tryAgain } from './remedies.js';

const onTap = ['VirtualMachine', 'TapAttached'] as const;

export const ipv6 = {
  code: 'TT121',
  question: 'Are the IPv6 subnets of Docker’s networks reached?',
  reasons: {
    LinkTaken: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        'A VPN takes the route of every local network, the link’s IPv6 network among them. It comes back by itself when ' +
        'the VPN no longer does. IPv4 is not affected.',
      whatToDo: [{ text: 'Have the VPN allow access to local networks, or use no exit node meanwhile' }],
    },
    LinkCollision: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        'Something else, which the message names, uses the link’s IPv6 network, on this Mac or in the VM. IPv4 is not ' +
        'affected.',
      whatToDo: [
        {
          text: 'Move it to another pair, by the `sudo tuntapctl config set ipv6.address …` command of the message',
        },
        {
          text: 'Where macOS has chosen the network, end what has a part of it besides, as the message says',
        },
      ],
    },
    LinkYielded: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        'Something on this Mac, most often a VPN client, takes the link’s IPv6 network away again and again. It comes back ' +
        'when that stops, after five minutes at the latest.',
      whatToDo: [tryAgain],
    },
    AddressUnusable: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        'The Mac’s IPv6 address is on the interface, but macOS does not use it: somebody else has it too (`duplicated`), ' +
        'or IPv6 is switched off there. Packets would leave with an address to which the VM has no way back.',
      whatToDo: [
        { text: 'See what macOS says of it', command: 'ifconfig {device}' },
        { text: 'Set the link up anew', command: 'tuntapctl restart' },
        { text: 'Or choose another pair: `sudo tuntapctl config set ipv6.address … ipv6.peer …`' },
      ],
    },
    NotByThisLink: {
      severity: 'idle',
      dependsOn: ['TapAttached'],
      meaning:
        'Docker has networks with IPv6, and the network that macOS shares with the VM has none, or the VM’s NIC took no ' +
        'address of it. Containers answer on their IPv4 addresses.',
    },
    NoLink: {
      severity: 'idle',
      dependsOn: onTap,
      meaning: 'There is no link to the VM, so there is none by IPv6.',
    },
    NotInVm: {
      severity: 'idle',
      meaning:
        'The VM’s kernel has no IPv6 (Docker Desktop’s of the time of HyperKit had none), so its networks have IPv6 on ' +
        'paper alone. Containers answer on their IPv4 addresses.',
    },
    NotForwarding: {
      severity: 'degraded',
      meaning:
        'The VM does not forward IPv6 (`net.ipv6.conf.all.forwarding` is 0). dockerd switches it on with the first network ' +
        'that has IPv6, unless it is told not to (`"ip-forward": false`). tuntapd never does: it would take the VM’s own ' +
        'IPv6 default route away.',
      whatToDo: [
        { text: 'In Docker’s settings, Docker Engine, take `"ip-forward": false` out' },
        { text: 'Where it is not there, restart Docker Desktop' },
        tryAgain,
      ],
    },
    GuestFailed: {
      severity: 'degraded',
      dependsOn: ['VirtualMachine', 'Engine', 'Guest'],
      meaning:
        'The VM’s end could not be set up for IPv6, or not be taken away; the message has its words. tuntapd tries again ' +
        'after ever longer pauses, an hour at most. IPv4 is not affected.',
      whatToDo: [readLogs, tryAgain],
    },
    NotPrepared: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'TapAttached', 'Engine', 'Guest'],
      meaning: 'The VM’s end is not set up for IPv6 yet in this run of Docker Engine.',
      whatToDo: [readLogs],
    },
    AddressRefused: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        '`ifconfig` ended with an error when it was to set the IPv6 address; the message quotes it. tuntapd tries again by ' +
        'itself.',
      whatToDo: [{ text: 'See what the interface has', command: 'ifconfig {device}' }],
    },
    AddressNotSet: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        '`ifconfig` reported no error, yet the interface does not have the IPv6 address. Another program takes it away. tuntapd ' +
        'tries again by itself.',
      whatToDo: [{ text: 'See what the interface has', command: 'ifconfig {device}' }],
    },
    AddressNotRemoved: {
      severity: 'degraded',
      meaning: 'The IPv6 address could not be taken off the interface again; the message quotes `ifconfig`.',
      whatToDo: [{ text: 'Quit Docker Desktop: the interface goes with its VM' }],
    },
    TapGone: {
      severity: 'degraded',
      dependsOn: ['VirtualMachine'],
      meaning:
        'The interface disappeared while it was to get its IPv6 address: the VM has most likely ended.',
      whatToDo: [readLogs],
    },
    NotSet: {
      severity: 'transient',
      dependsOn: [...onTap, 'TapAddress'],
      meaning:
        'The Mac’s end of the link has no IPv6 address yet, or macOS is still asking whether somebody else has it, which ' +
        'takes one or two seconds.',
      whatToDo: [readLogs],
    },
    Conflict: {
      severity: 'degraded',
      meaning:
        'Something else on this Mac (a VPN, the local network, a gateway or resolver in it) has the IPv6 subnet of a Docker ' +
        'network, or a part of it. That one is reached by IPv4 alone; the others by both.',
      whatToDo: [
        showRoutes,
        anotherSubnet,
        {
          text: 'Or list the subnet in `routes.force`, which overrules all but a route of the very same prefix',
        },
      ],
    },
    Yielded: {
      severity: 'degraded',
      meaning:
        'Something on this Mac, most often a VPN client, keeps removing IPv6 routes of tuntapd’s. They come back when it ' +
        'stops.',
      whatToDo: [tryAgain, showRoutes],
    },
    ResolversUnknown: {
      severity: 'degraded',
      dependsOn: ['Routes'],
      meaning:
        'This Mac’s DNS resolvers are not known, so one may lie in an IPv6 subnet. Nothing new is routed until they are.',
      whatToDo: [{ text: 'See what it reports', command: 'scutil --dns' }],
    },
    ForeignRoute: {
      severity: 'degraded',
      meaning:
        'Somebody else’s IPv6 route of the very same prefix came between the look at the table and the step that was to ' +
        'add ours. macOS keeps one route of a prefix, and tuntapd replaces nobody’s.',
      whatToDo: [
        { text: 'See whose route it is', command: 'netstat -rn -f inet6' },
        { text: 'Take that route away, or end the VPN that has made it' },
        tryAgain,
      ],
    },
    RouteMisbound: {
      severity: 'degraded',
      dependsOn: onTap,
      meaning:
        'macOS bound an IPv6 route to another interface than the link’s, which had just lost its address. It would have led ' +
        'to the local network, so it was taken back. tuntapd tries again by itself.',
      whatToDo: [{ text: 'Set the link up anew', command: 'tuntapctl restart' }],
    },
    RouteRefused: {
      severity: 'degraded',
      meaning:
        'macOS did not add, or did not delete, an IPv6 route of tuntapd’s; the message quotes `route`. tuntapd tries again ' +
        'by itself.',
      whatToDo: [{ text: 'See what the table has', command: 'netstat -rn -f inet6' }],
    },
    TableUnknown: {
      severity: 'degraded',
      meaning:
        'The IPv6 routing table could not be read right before or after a change, so the change is not proven, or not ' +
        'made. tuntapd tries again by itself.',
      whatToDo: [{ text: 'See whether it can be read', command: 'netstat -rn -f inet6' }, readLogs],
    },
    NothingAnswers: {
      severity: 'degraded',
      dependsOn: [...onTap, 'Engine', 'Guest'],
      meaning:
        'Everything is set up, and by IPv6 not all that should answer does: a firewall in the VM, in a container or on this ' +
        'Mac, or a network of macOS’s on which IPv6 does not arrive. The VM’s end is set up anew by itself.',
      whatToDo: [{ text: 'Set everything up again', command: 'tuntapctl restart' }],
    },
    Pending: {
      severity: 'transient',
      dependsOn: [...onTap, 'Engine'],
      meaning: 'The named IPv6 subnets are about to be routed.',
      whatToDo: [readLogs],
    },
    NotSeen: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'Engine'],
      meaning: 'The Mac’s IPv6 addresses or routes, or Docker’s networks, could not be looked at (yet).',
      whatToDo: [readLogs],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'A step of the way by IPv6 failed with an error that has no reason of its own; the message quotes it. tuntapd tries ' +
        'again by itself. IPv4 is not affected.',
      whatToDo: [readLogs, tryAgain],
    },
    NoWayBack: {
      severity: 'fine',
      meaning:
        'The named subnets lead to the VM, and some containers may have no IPv6 way back: up to Docker Engine 27 a container ' +
        'on several networks has one way out, chosen by its IPv4, and without IPv6 where that network has none.',
      notice:
        'Where such a container does not answer by IPv6, give the other network IPv6 too, or update Docker (Engine 28).',
    },
    NoneRouted: {
      severity: 'fine',
      meaning: 'Docker’s networks have IPv6 subnets, and a rule refuses each of them.',
      whatToDo: [showRoutes],
    },
    NotNeeded: {
      severity: 'fine',
      meaning: 'No network of Docker’s that could be routed has IPv6, so nothing is done for it.',
    },
    NotManaged: {
      severity: 'fine',
      meaning: '`ipv6.manage` (or `routes.manage`) is false: tuntapd leaves IPv6 as it is.',
    },
    Set: { severity: 'fine', meaning: 'The named IPv6 subnets lead to the VM.' },
  },
} as const satisfies Topic;
