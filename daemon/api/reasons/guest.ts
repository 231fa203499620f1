import type { Topic } from './record.js';
import { readLogs, restartDocker, tryAgain } from './remedies.js';

export const guest = {
  code: 'TT108',
  question: 'Is the VM’s network interface set up?',
  reasons: {
    HelperForbidden: {
      severity: 'persistent',
      meaning:
        'An authorisation plugin, Enhanced Container Isolation or user namespaces forbid the helper container ' +
        '(`tuntapd-helper`) that sets up the VM’s end; the message quotes Docker.',
      whatToDo: [{ text: 'Allow that container' }, tryAgain],
    },
    FirewallBackendUnsupported: {
      severity: 'persistent',
      meaning:
        'Docker Engine keeps its firewall in nftables, where no rule of tuntapd’s outweighs its drops. Of its own openings ' +
        '`allow-direct-routing` and a network’s `trusted_host_interfaces` reach published ports alone, and ' +
        '`bridge-accept-fwmark` needs one of them besides; the gateway mode `nat-unprotected` opens a network.',
      whatToDo: [
        { text: 'In Docker’s settings, Docker Engine, set `"firewall-backend": "iptables"`' },
        {
          text:
            'Or, where the link is a network that macOS shares with the VM, make the Docker network anew with ' +
            '`-o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected`: that one answers, whatever is said here',
        },
        tryAgain,
      ],
    },
    AgentRefused: {
      severity: 'persistent',
      meaning:
        'Docker Engine does not recognise the image of tuntapd’s agent, or makes the helper container of another ' +
        'one; the message quotes it. A proxy before Docker’s API, or a plugin, changes its answers.',
      whatToDo: [{ text: 'Take that proxy or plugin away' }, tryAgain],
    },
    AgentUnfit: {
      severity: 'persistent',
      meaning: 'The VM has another processor than amd64 or arm64, and tuntapd has no agent for it.',
      whatToDo: [{ text: 'Use a Docker Desktop whose VM is of one of the two' }],
    },
    AgentFailed: {
      severity: 'degraded',
      meaning:
        'The connection to tuntapd’s agent in the VM broke off. tuntapd tries again by itself. If it stays so, ' +
        'something between the Mac and Docker Engine (a proxy, a plugin) does not hand over a container’s streams.',
      whatToDo: [readLogs, tryAgain],
    },
    LinkCollision: {
      severity: 'persistent',
      meaning:
        'The VM itself has an interface or a route in the link’s network, which the message names. The VM’s end ' +
        'gets no ' +
        'address, since it would cut that off.',
      whatToDo: [
        {
          text: 'Move the link to a pair of addresses that nobody uses: `sudo tuntapctl config set tap.address … tap.peer …`',
        },
        { text: 'Where macOS has chosen the network, take away what the VM has there' },
      ],
    },
    NoTapNic: {
      severity: 'degraded',
      meaning:
        'The VM’s kernel has no network card with the MAC address `tap.mac`, though hyperkit holds the tap: the ' +
        'card has ' +
        'another MAC, or its driver did not start.',
      whatToDo: [restartDocker, readLogs],
    },
    NoDockerd: {
      severity: 'degraded',
      meaning:
        'No `dockerd` of root runs in the VM’s own namespaces, so nobody knows which iptables is Docker’s. The ' +
        'engine that ' +
        'answered runs elsewhere (in a container, on another machine), or has just ended.',
      whatToDo: [
        {
          text: 'Where a Docker in Docker or a remote engine listens on Docker Desktop’s socket, give it another one',
        },
        { text: 'Otherwise restart Docker Desktop' },
      ],
    },
    GuestRefused: {
      severity: 'degraded',
      meaning:
        'The VM’s kernel, or dockerd’s own iptables, refused an address, a rule or a setting, or iptables is ' +
        'missing or ' +
        'hangs; the message has the command and its answer. tuntapd tries again after ever longer pauses, an hour ' +
        'at most.',
      whatToDo: [
        tryAgain,
        { text: 'Where a container of yours changes the VM’s firewall or addresses, stop it' },
        { text: 'If it stays so, restart Docker Desktop' },
      ],
    },
    NotPrepared: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'TapAttached', 'TapAddress', 'Engine'],
      meaning: 'The VM’s interface and firewall are not set up yet in this run of Docker Engine.',
      whatToDo: [{ text: 'Wait: it takes some seconds once Docker Engine answers' }, readLogs],
    },
    NoEngine: {
      severity: 'transient',
      dependsOn: ['VirtualMachine', 'Engine'],
      meaning: 'The VM is set up through Docker Engine, which does not answer (yet).',
    },
    Failed: {
      severity: 'degraded',
      meaning:
        'Setting up the VM’s end, or taking it away, failed with an error that has no reason of its own (Docker ' +
        'Engine ' +
        'did not answer in time, for instance); the message quotes it. tuntapd tries again after ever longer ' +
        'pauses, an hour at most, since each attempt costs a container.',
      whatToDo: [readLogs, tryAgain],
    },
    NotManaged: {
      severity: 'fine',
      meaning: '`guest.manage` is false: the VM’s side is left to its operator.',
    },
    Prepared: {
      severity: 'fine',
      meaning: 'The VM’s interface has its address, and the VM’s firewall lets the Mac in.',
    },
  },
} as const satisfies Topic;
