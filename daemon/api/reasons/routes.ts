import type { Topic } from './record.js';
import { anotherSubnet, readLogs, showRoutes, tryAgain } from './remedies.js';

export const routes = {
  code: 'TT109',
  question: 'Are Docker’s networks routed?',
  reasons: {
    Conflict: {
      severity: 'degraded',
      meaning:
        'Something else on this Mac (a VPN, the local network, a gateway or resolver in it) has the subnet of a ' +
        'Docker ' +
        'network, or a part of it. That one is not routed; the others are.',
      whatToDo: [
        showRoutes,
        anotherSubnet,
        {
          text:
            'Or list the subnet in `routes.force`, which overrules all but a route of the very same prefix and a ' +
            'gateway ' +
            'that would be lost',
        },
      ],
    },
    Yielded: {
      severity: 'degraded',
      meaning:
        'Something on this Mac, most often a VPN client, keeps removing routes of tuntapd’s. They come back when it ' +
        'stops.',
      whatToDo: [tryAgain, showRoutes],
    },
    ForeignRoute: {
      severity: 'persistent',
      meaning:
        'Somebody else’s route of the very same prefix came between the look at the routing table and the step that ' +
        'was to add ours. macOS keeps one route of a prefix, and tuntapd replaces nobody’s.',
      whatToDo: [
        {
          text: 'See whose route it is; the message names subnet, gateway and interface',
          command: 'netstat -rn -f inet',
        },
        { text: 'Take that route away, or end the VPN that has made it' },
        anotherSubnet,
        tryAgain,
      ],
    },
    RouteMisbound: {
      severity: 'degraded',
      dependsOn: ['VirtualMachine', 'TapAttached', 'TapAddress'],
      meaning:
        'macOS bound the route to another interface than the link’s, which it does when the VM’s end is not on the ' +
        'link’s ' +
        'network at that moment: the interface had just lost its address, or a VPN has that network. Containers’ traffic ' +
        'would ' +
        'have gone to the local network, so the route was taken back. tuntapd tries again by itself.',
      whatToDo: [
        { text: 'See by which interface the VM’s end is reached', command: 'route -n get {peer}' },
        {
          text: 'Where that is not the link’s interface, end the VPN that has it, or set the link up anew',
          command: 'tuntapctl restart',
        },
      ],
    },
    RouteRefused: {
      severity: 'degraded',
      meaning:
        'macOS did not add, or did not delete, a route of tuntapd’s, though nobody else’s stands there; the message ' +
        'quotes `route`. tuntapd tries again by itself.',
      whatToDo: [
        { text: 'See what the table has', command: 'netstat -rn -f inet' },
        { text: 'End what filters changes of routes (a VPN client that locks the table)' },
      ],
    },
    TableUnknown: {
      severity: 'degraded',
      meaning:
        'The routing table could not be read right before or after a change, so the change is not proven, or not ' +
        'made. ' +
        'tuntapd tries again by itself.',
      whatToDo: [{ text: 'See whether it can be read', command: 'netstat -rn -f inet' }, readLogs],
    },
    ResolversUnknown: {
      severity: 'degraded',
      meaning:
        'Neither `scutil --dns` nor `/etc/resolv.conf` tells this Mac’s DNS resolvers, so one may lie in a subnet. ' +
        'Nothing ' +
        'new is routed until they are known.',
      whatToDo: [{ text: 'See what it reports', command: 'scutil --dns' }],
    },
    Pending: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'TapAttached', 'TapAddress', 'Engine'],
      meaning: 'The named subnets are about to be routed.',
      whatToDo: [readLogs],
    },
    NoEngine: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'Engine'],
      meaning:
        'Docker’s networks are known from Docker Engine, which does not answer (yet). Routes that stand stay.',
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        '`netstat` failed or took too long, so the routing table is not known. Routes that stand stay.',
      whatToDo: [{ text: 'See whether it can be read', command: 'netstat -rn -f inet' }, readLogs],
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'Adding or deleting a route failed with an error that has no reason of its own; the message quotes it. ' +
        'tuntapd tries again at least once a minute.',
      whatToDo: [readLogs],
    },
    NoneRouted: {
      severity: 'fine',
      meaning: 'Docker has networks, and a rule refuses each of them.',
      whatToDo: [showRoutes],
    },
    NoNetwork: { severity: 'fine', meaning: 'Docker has no network.' },
    NotManaged: {
      severity: 'fine',
      meaning: '`routes.manage` is false: tuntapd leaves the routing table as it is.',
    },
    Set: { severity: 'fine', meaning: 'The named subnets lead to the VM.' },
  },
} as const satisfies Topic;
