import type { DockerCli, Layout } from '../docker/bundle.js';
import type { VmnetOptions } from './vmnet.js';

/** What a lab Mac can be like; JSON on its way from bootMac to the machine. */
export interface MacOptions {
  /** The tap kext: loaded at boot, installed only, refused by policy, or not there. */
  readonly kext: Kext;
  readonly macos: string;
  /** As `uname -m` tells it. */
  readonly processor: 'x86_64' | 'arm64';
  /** Whether tuntapd may change Docker.app; can be granted later (`privacy.grant-app-management`). */
  readonly appManagement: 'granted' | 'refused';
  /** Whether tuntapd may send Docker Apple events; can be changed later (`privacy.set-automation`). */
  readonly automation: 'allowed' | 'denied';
  /** Who sits at the screen after boot; null is the login window. */
  readonly login: string | null;
  /** The Docker.app in /Applications; null is none. */
  readonly docker: {
    /** Null is a Docker Desktop without hyperkit. */
    readonly layout?: Layout | null;
    /** Whether it has com.docker.virtualization beside hyperkit. */
    readonly virtualization?: boolean;
    readonly version: string;
    readonly seed?: string;
    readonly cli?: DockerCli;
    /** Whether /var/run/docker.sock leads to the user's socket, as Docker's helper made it before 4.13. */
    readonly varRunSocket?: boolean;
  } | null;
  /** How macOS makes a NIC for a VM of the Virtualization framework. */
  readonly vmnet: Partial<VmnetOptions>;
  /** The VM's files as the lab sees them; null when no engine was asked for. */
  readonly vm: {
    readonly kernel: string;
    readonly initrd: string;
    readonly disk: string;
    readonly processors: number;
  } | null;
}

export type Kext = 'loaded' | 'installed' | 'refused' | 'absent';

export const defaultMac: MacOptions = {
  kext: 'loaded',
  macos: '12.7.6',
  processor: 'x86_64',
  appManagement: 'granted',
  automation: 'allowed',
  login: 'person',
  docker: { version: '4.1.1' },
  vmnet: {},
  vm: null,
};
