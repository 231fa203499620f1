/**
 * What runs when Docker's com.docker.virtualization is executed in the lab: reads its command line as Go's flags do and
 * becomes a real VM, with a NIC on a bridge of macOS's where `--kernel-for-udp` asks for one.
 * Called by the kernel (binfmt_misc, flag P): virtualization.js PATH ARGV0 ARGUMENTS…
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { macAddress } from '../mac/xnu/mac-address.js';
import { giveUp } from './qemu.js';
import { startVirtualMachine } from './virtual-machine.js';

const [, , , argv0 = '', ...args] = process.argv;
process.title = [argv0, ...args].join(' ');

const withValue =
  'kernel cmdline boot ramdisk disk networkType macaddr-filename-prefix cpus memoryMiB console-log console api virtiofs';
const flags = 'watchdog kernel-for-udp rosetta';

function read(words: readonly string[]): ReadonlyMap<string, string> {
  const rest = [...words];
  const options = new Map<string, string>();
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const name = word.replace(/^--?/, '');
    if (word.startsWith('-') && flags.split(' ').includes(name)) options.set(name, '');
    else if (word.startsWith('-') && withValue.split(' ').includes(name)) {
      const value = rest.shift();
      if (value === undefined) giveUp(`flag needs an argument: -${name}`);
      options.set(name, value);
    } else giveUp(`flag provided but not defined: -${name}`);
  }
  return options;
}

/** New at each start, unless Docker keeps it in a file. */
function macOf(filePrefix: string | undefined): string {
  if (filePrefix === undefined) return macAddress();
  const file = `${filePrefix}-1`;
  if (!existsSync(file)) writeFileSync(file, macAddress());
  return readFileSync(file, 'utf8').trim();
}

const options = read(args);
const disk = options.get('disk');
if (disk === undefined || !options.has('kernel')) giveUp('a kernel and a disk are needed');
const line = options.get('cmdline') ?? '';
await startVirtualMachine({
  disk,
  nat: options.has('kernel-for-udp') ? macOf(options.get('macaddr-filename-prefix')) : null,
  kernelLine: line.split(' ').includes('eth1.dhcp') ? 'eth1.dhcp' : '',
});
