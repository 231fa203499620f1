/**
 * What can be seen of the world, as plain data. Rooms make these values, plan judges them; nobody changes them.
 *
 * Unknown is not absent: whatever could not be asked is `known: false` with the reason, and nothing is ever
 * removed because of it.
 */
import type { ReasonOf } from '../api/reasons/registry.js';

import type { Prefix } from '../lib/prefix.js';
import type { NamesObservation } from './names/observation.js';

export type Seen<T> =
  | { readonly known: true; readonly value: T }
  | { readonly known: false; readonly why: string; readonly reason?: ReasonOf<'Engine'> };

export const seen = <T>(value: T): Seen<T> => ({ known: true, value });

/** `reason`: of an engine alone, where there is more to say than that it was not seen. */
export const unknown = (why: string, reason?: ReasonOf<'Engine'>): Seen<never> => ({
  known: false,
  why,
  ...(reason === undefined ? {} : { reason }),
});

/** The value, or null where it is not known or nothing is there. */
export const valueOf = <T>(found: Seen<T>): T | null => (found.known ? found.value : null);

/** The user in front of the Mac (`State:/Users/ConsoleUser`); `null` at the login window. */
export interface ConsoleUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** From directory services, never guessed. */
  readonly home: string;
}

/** One of Docker’s own processes, of the console user. */
export interface DockerProcess {
  readonly pid: number;
  /** The bundle it was started from. */
  readonly app: string;
  /** ISO 8601, to the second. */
  readonly startedAt: string;
  /** Whether it is the app itself, which a person quits. */
  readonly gui: boolean;
  /** Whether it is a VM by Apple's Virtualization framework, which takes no tap. */
  readonly virtualization: boolean;
}

export interface MacosVersion {
  readonly major: number;
  readonly minor: number;
}

/** `/dev/tapN`: there exactly while a tap kext is loaded (tuntap_mgr.cc). */
export interface TapDevice {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, e.g. 0o660. */
  readonly mode: number;
}

export interface Kext {
  readonly state: 'loaded' | 'installed' | 'absent';
  /** Paths of the installed kext bundles: macOS may refuse one and load another. */
  readonly bundles: readonly string[];
}

/** An IPv6 address that is no link-local one, as `ifconfig` shows it. */
export interface Ipv6Address {
  /** Canonical. */
  readonly address: string;
  readonly prefix: number;
  /** Whether it is one of those that change by the day, with which connections leave first. Left out: no. */
  readonly isTemporary?: boolean;
  /** Whether only what is open already goes on with it. Left out: no. */
  readonly isDeprecated?: boolean;
  /**
   * `tentative`: whether somebody else has it is still being asked; until then packets leave with another. `duplicated`:
   * somebody has. `detached`: its network is gone.
   */
  readonly state: 'usable' | 'tentative' | 'duplicated' | 'detached';
}

/** `tapN` as `ifconfig` shows it: there only while somebody holds the device open (tuntap.cc). */
export interface TapInterface {
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  /** Left out: none. */
  readonly ipv6?: readonly Ipv6Address[];
  /** Whether the kernel uses no IPv6 there, since its link-local address is somebody's too. Left out: it does. */
  readonly isIpv6Disabled?: boolean;
  /** From the driver's own line `open (pid N)`. */
  readonly holder: number | null;
}

/** A row of `netstat -rn -f inet`, or of inet6. */
export interface Route {
  readonly destination: Prefix;
  /** An address (canonical), one with a zone (`fe80::1%en0`), `link#N`, a MAC or an interface name, as printed. */
  readonly gateway: string;
  /** The gateway where it is an address. */
  readonly via: Prefix | null;
  readonly flags: string;
  /** As printed: cut to 7 characters up to macOS 11, to 10 up to 13, to 14 after (netstat.tproj/route.c). */
  readonly interface: string;
}

export type HyperkitKind =
  | 'mach-o'
  | 'shim'
  | 'outdated-shim'
  | 'docker-tuntap-osx-shim'
  | 'foreign-script'
  | 'incomplete'
  | 'missing'
  | 'refused'
  | 'unrecognised';

/** What one of the two files (hyperkit's own path, or the same + `.original`) is, decided by its content. */
export interface HyperkitFile {
  readonly kind: HyperkitKind;
  /** For people: the first line of a foreign script, why it was refused, … */
  readonly detail: string;
  /** Hex, of a complete Mach-O only. */
  readonly sha256: string | null;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch; 0 when missing. */
  readonly mtime: number;
}

/** What the journal has of a hyperkit that was put aside. */
export interface SavedOriginal {
  readonly sha256: string;
  readonly size: number;
  /** Of the Docker.app that it came with. */
  readonly version: string | null;
}

/** A Docker.app that has (or should have) a hyperkit. */
export interface Bundle {
  /** e.g. `/Applications/Docker.app` */
  readonly app: string;
  /** Absolute path of hyperkit. */
  readonly hyperkit: string;
  /** CFBundleShortVersionString, if it could be read. */
  readonly version: string | null;
  readonly ownerUid: number;
  /** Inode of the bundle’s own program: which installation this is. */
  readonly identity: string | null;
  /** When that program, or the bundle as a whole, came to be there, in ms since the epoch. */
  readonly arrived: number;
  readonly target: HyperkitFile;
  readonly original: HyperkitFile;
  /** `null`: nothing was put aside there, or the journal is lost. */
  readonly saved: SavedOriginal | null;
  /** Whether temporary files of an interrupted change lie beside them. */
  readonly leftovers: boolean;
}

/** A Docker.app without any hyperkit (Virtualization framework only). */
export interface BundleWithoutHyperkit {
  readonly app: string;
}

export interface Bundles {
  readonly withHyperkit: readonly Bundle[];
  readonly without: readonly BundleWithoutHyperkit[];
  /** Bundles that could not be looked into, with the reason and what to do; `unseen`: its disk does not answer. */
  readonly refused: readonly { readonly app: string; readonly why: string; readonly unseen?: boolean }[];
  /** Hyperkits put aside by us, in bundles that are refused or that an updater has moved aside: ours may stand there. */
  readonly outOfReach: readonly string[];
  /** Bundles that are being replaced: nothing is written into them. They may be among the others too. */
  readonly replacing: readonly {
    readonly app: string;
    readonly why: string;
    /** Milliseconds after which it counts as settled if nothing changes; null: only a change can settle it. */
    readonly settlesIn: number | null;
  }[];
}

/** By what a VM runs: HyperKit, Apple's Virtualization framework, or Docker's own monitor (libkrun, `com.docker.sailor`). */
export type VmKind = 'hyperkit' | 'virtualization' | 'docker-vmm';

export interface Vm {
  /** `${pid}@${startedAt}`: a pid alone is never an identity. */
  readonly id: string;
  readonly pid: number;
  readonly uid: number;
  /** ISO 8601, to the second (`ps -o lstart`). */
  readonly startedAt: string;
  /** Whether its argument list holds our `virtio-tap,<device>`. */
  readonly startedWithTap: boolean;
  /** Whether that NIC has another MAC than ours, by which it is found in the VM: docker-tuntap-osx’s, or a former one. */
  readonly tapIsForeign: boolean;
  /** Path of the hyperkit (or hyperkit.original) that runs, where the argument list tells it. */
  readonly executable: string | null;
  /** Left out: `hyperkit`. */
  readonly kind?: VmKind;
  /** Whose VM it is, and where its engine listens. Left out: Docker Desktop's. */
  readonly runtime?: { readonly name: RuntimeName; readonly socket: string };
  /** Whether its argument list asks for the NIC of kernel networking; newer releases ask without a word there. */
  readonly asksForNic?: boolean;
}

/** What runs containers in a VM of its own. */
export type RuntimeName = 'Docker Desktop' | 'colima' | 'Lima' | 'Rancher Desktop' | 'OrbStack' | 'Podman';

/** A VM of another runtime than Docker Desktop. */
export interface Machine {
  readonly name: Exclude<RuntimeName, 'Docker Desktop'>;
  readonly vm: Vm;
  /** The folder of this VM below Lima’s home; null of what is not made by Lima. */
  readonly folder: string | null;
}

/** A context of docker’s: a user’s words. */
export interface DockerContext {
  readonly name: string;
  /** As it says itself, e.g. `unix:///Users/me/.colima/default/docker.sock`. */
  readonly host: string;
  /** Where its socket really lies; null: it is none of this Mac’s. */
  readonly socket: string | null;
}

/** What there is to choose from. */
export interface Runtimes {
  /**
   * `runs`: whether Docker Desktop itself does, with a VM or without. `isOwed`: whether we quit it, and owe its user to
   * open it again; left out: no.
   */
  readonly desktop: { readonly vm: Vm | null; readonly runs: boolean; readonly isOwed?: boolean };
  /** The console user’s. */
  readonly machines: readonly Machine[];
  /** The configured context, or else the user’s current one; `null` inside: there is none of this name. */
  readonly context: Seen<DockerContext | null>;
}

export const kindOf = ({ kind = 'hyperkit' }: Vm): VmKind => kind;

/** Docker's VMs: the one whose engine is asked and whose link this is to be, and all the others. */
export interface Vms {
  readonly vm: Vm | null;
  readonly others: readonly Vm[];
}

/** An `IPAM.Config[].Subnet`: untrusted. */
export interface Subnet {
  /** Canonical; as the engine gave it where it is no IPv4 network. */
  readonly text: string;
  readonly prefix: Prefix | null;
}

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: string;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** The driver's, e.g. `ipvlan_mode`. */
  readonly options: Readonly<Record<string, string>>;
  readonly subnets: readonly Subnet[];
}

/** A container's end in one network: untrusted. */
export interface Endpoint {
  /** Another one each time the container starts or joins. */
  readonly id: string;
  readonly networkId: string;
  readonly network: string;
  /** Canonical, without a prefix length; null: none of this family. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** The container's further names in this network; null: nobody asked (moby lists none, daemon/container/view.go). */
  readonly aliases: readonly string[] | null;
}

/** A port that an image exposes or a person publishes. */
export interface ContainerPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Ports of the Mac that lead to it; empty: only exposed. */
  readonly published: readonly number[];
}

/** A container that runs, or is paused: untrusted, but without characters that harm a terminal. */
export interface Container {
  readonly id: string;
  /** Without the slash. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As of when it was listed: no event tells of a pause. */
  readonly paused: boolean;
  /** `HostConfig.NetworkMode`: a network, `host`, `none`, or `container:<id>` whose endpoints it shares. */
  readonly networkMode: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly ContainerPort[];
}

/** One connection to one engine: a new VM or a restarted dockerd is a new session. */
export interface Engine {
  readonly session: string;
  /** Which VM it was found in. */
  readonly vm: string;
  /** e.g. `28.5.2` */
  readonly version: string;
  readonly networks: readonly DockerNetwork[];
  /**
   * Not ours among them, at most a second behind the engine’s events. Unknown while nothing needs them, since they cost
   * a request after each such event.
   */
  readonly containers: Seen<readonly Container[]>;
  /** How often its networks were listed: grows with whatever happens to them, or to the containers on them. */
  readonly listed: number;
  /**
   * Whether a network that is not listed may be there all the same: Docker Desktop's proxy has told old lists and 404s
   * after a VM's start and after its sleep (4.76, 4.80). Left out: no.
   */
  readonly isProvisional?: boolean;
}

/** What came of the last TCP connections through the link. */
export interface DataPath {
  /** The engine’s session in which this was found out: in another one it proves nothing. Null before the first. */
  readonly session: string | null;
  readonly state: 'unchecked' | 'alive' | 'silent';
  /** Who answered, or how each one tried did not, for people. */
  readonly detail: string;
  /** Milliseconds until the fastest answer that was heard last; left out before the first. */
  readonly roundTrip?: number;
  /** Grows when the VM’s side is to be set up anew, because what had answered is silent. */
  readonly generation: number;
}

export const unchecked: DataPath = {
  session: null,
  state: 'unchecked',
  detail: 'not checked yet',
  generation: 0,
};

/** What the helper container found and did in the VM. */
export interface GuestReport {
  readonly session: string;
  /** Name of the tap's NIC in the guest, e.g. `eth1`. */
  readonly interface: string;
  /** Chains that hold our accept rule, e.g. `['raw PREROUTING', 'filter DOCKER-USER']`. */
  readonly rules: readonly string[];
  /** The addresses that it lets in, with blanks between them. Left out: whoever is at the link’s other end. */
  readonly source?: string;
  /** The data path’s generation that this was for. */
  readonly observedGeneration: number;
  /** MAC of the NIC that this was for. Left out: the configured one, which stays while a daemon lives. */
  readonly nic?: string;
}

/** What became of the configuration file. */
export interface Configuration {
  /** Why the file as it is now cannot be taken, for people; null when it is in force. */
  readonly problem: string | null;
  /** Whether an earlier valid configuration is in force meanwhile; false: only the defaults, so nothing is done. */
  readonly inForce: boolean;
}

/** What only a link over the tap kext needs. */
export interface TapObservation {
  readonly device: Seen<TapDevice | null>;
  readonly kext: Seen<Kext>;
  readonly interface: Seen<TapInterface | null>;
}

/** A bridge of the Mac on which VMs are: it has an IPv4 network, and a member that vmnet made. */
export interface VmBridge {
  /** e.g. `bridge100`: macOS gives the next free number. */
  readonly name: string;
  /** Its own address, the Mac's end, e.g. `192.168.64.1`. */
  readonly address: string;
  readonly prefix: number;
  readonly mtu: number;
}

/** A row of the Mac's ARP table that has been answered. */
export interface Neighbour {
  readonly address: string;
  /** Lower case, two digits each. */
  readonly mac: string;
  readonly interface: string;
}

/** A network interface of the VM, as the agent sees it. */
export interface GuestNic {
  readonly name: string;
  /** Lower case, with colons; empty when it has none. */
  readonly mac: string;
  /** A device's own: no loopback, and no bridge, veth or tunnel that the kernel makes up. */
  readonly isCard: boolean;
  /** Whether a default route of any of the VM's tables leaves by it. */
  readonly hasDefaultRoute: boolean;
  /** IPv4. */
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
  /** Whether it has an IPv6 address beyond its own wire: somebody on it advertises a network. */
  readonly hasIpv6: boolean;
  /** Those. Left out: not told. */
  readonly ipv6?: readonly { readonly address: string; readonly prefix: number }[];
}

/** What only a link over a network of macOS's vmnet needs. */
export interface VmnetObservation {
  /** None are looked for while no VM could be on one. */
  readonly bridges: Seen<readonly VmBridge[]>;
  /** Whether Docker’s settings ask for such a NIC; null inside: they do not tell. Left out: nobody looked. */
  readonly setting?: Seen<boolean | null>;
  /** Their IPv6 addresses, by a bridge’s name. Left out: none has any. */
  readonly ipv6?: Readonly<Record<string, readonly Ipv6Address[]>>;
}

export interface Observation {
  /** When, in ms since the epoch. */
  readonly at: number;
  readonly macos: Seen<MacosVersion>;
  readonly configuration: Configuration;
  readonly consoleUser: Seen<ConsoleUser | null>;
  readonly tap: TapObservation;
  readonly vmnet: VmnetObservation;
  readonly routes: Seen<readonly Route[]>;
  /** Left out: nobody needs IPv6, so it was not looked at. */
  readonly ipv6?: {
    readonly routes: Seen<readonly Route[]>;
    /** Left out: unchecked. */
    readonly dataPath?: DataPath;
  };
  /** Addresses of every DNS resolver that the Mac asks. */
  readonly resolvers: Seen<readonly Prefix[]>;
  readonly bundles: Seen<Bundles>;
  /** The newest of whoever's VM holds the tap, or else the console user's newest. */
  readonly vm: Seen<Vm | null>;
  readonly docker: Seen<readonly DockerProcess[]>;
  /** The user’s container that has been running longest; `null` outside: not asked, since nothing depends on it. */
  readonly userContainer: Seen<{ readonly name: string; readonly seconds: number } | null> | null;
  /** Left out: Docker Desktop is the only one. */
  readonly runtimes?: Runtimes;
  /** Docker's VMs besides: another user's, or one that was left behind and may hold the tap. */
  readonly otherVms: readonly Vm[];
  /** `null`: no VM, so it was not asked. */
  readonly engine: Seen<Engine | null>;
  readonly dataPath: DataPath;
  readonly names: NamesObservation;
}
