import { arp } from './arp.js';
import { dscacheutil } from './dscacheutil.js';
import { dscl } from './dscl.js';
import { ifconfig } from './ifconfig.js';
import { kextload } from './kextload.js';
import type { Facade } from './lib/served.js';
import { netstat } from './netstat.js';
import { ps } from './ps.js';
import { route } from './route.js';
import { scutil } from './scutil.js';
import { swVers } from './sw_vers.js';
import { uname } from './uname.js';

/** The macOS commands that the machine's own process answers, by name; all others are processes of their own. */
export const served: Readonly<Record<string, Facade>> = {
  arp,
  dscacheutil,
  dscl,
  ifconfig,
  kextload,
  netstat,
  ps,
  route,
  scutil,
  sw_vers: swVers,
  uname,
};
