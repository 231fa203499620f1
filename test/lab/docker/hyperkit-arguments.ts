/**
 * hyperkit's own reading of its command line (hyperkit.c main, pci_emul.c pci_parse_slot): which devices a VM gets
 * and in what order its guest meets them, or the text with which hyperkit gives up.
 */
export interface Device {
  readonly bus: number;
  readonly slot: number;
  readonly func: number;
  readonly driver: string;
  readonly options: string;
}

export interface VmArguments {
  readonly devices: readonly Device[];
  readonly pidFile: string | null;
}

export type Parsed =
  { readonly ok: true; readonly vm: VmArguments | null } | { readonly ok: false; readonly error: string };

const withValue = 'YfFgcsmlU';
const flags = 'behvuwxMACHPW';

/** Of pci_emul.c's PCI_EMUL_SET, and `virtio-ipc`, as virtio-vpnkit was called in 2016. */
const drivers = new Set(
  'ahci-cd ahci-hd amd_hostbridge dummy hostbridge lpc uart virtio-9p virtio-blk virtio-ipc virtio-net virtio-rnd virtio-sock virtio-tap virtio-vpnkit'.split(
    ' ',
  ),
);

/** An `int` as Darwin's scanf stores it: strtoimax's 64 bits, the upper half cut off. */
function int(digits: string): number {
  const value = BigInt(digits.replace('+', ''));
  const most = 2n ** 63n;
  return Number(BigInt.asIntN(32, value >= most ? most - 1n : value < -most ? -most : value));
}

/** What `sscanf("%d:%d:%d")` stores before it meets something else: blanks may lead, no more than 512 characters count. */
function scan(text: string): number[] {
  const numbers: number[] = [];
  let rest = text;
  for (;;) {
    const [all, word] = /^[ \t\n\v\f\r]*([+-]?\d+)/.exec(rest) ?? [];
    if (all === undefined || word === undefined) return numbers;
    const read = word.slice(0, 512);
    numbers.push(int(read));
    rest = rest.slice(all.length - word.length + read.length);
    if (numbers.length === 3 || !rest.startsWith(':')) return numbers;
    rest = rest.slice(1);
  }
}

/** pci_parse_slot reads as many of bus, slot and function as are there, and cares for nothing behind them. */
function place(text: string): { bus: number; slot: number; func: number } | null {
  const [first, second, third] = scan(text);
  if (first === undefined) return null;
  const bus = third === undefined ? 0 : first;
  const slot = third === undefined ? first : (second ?? 0);
  const func = third ?? second ?? 0;
  const inside = bus >= 0 && bus < 256 && slot >= 0 && slot < 32 && func >= 0 && func < 8;
  return inside ? { bus, slot, func } : null;
}

function device(text: string, present: readonly Device[]): Device | string {
  const comma = text.indexOf(',');
  const where = comma < 0 ? null : place(text.slice(0, comma));
  if (!where) return `Invalid PCI slot info field "${text}"`;
  const { bus, slot, func } = where;
  const emulation = text.slice(comma + 1);
  const end = emulation.indexOf(',');
  const driver = end < 0 ? emulation : emulation.slice(0, end);
  if (present.some((other) => other.bus === bus && other.slot === slot && other.func === func))
    return `pci slot ${slot}:${func} already occupied!`;
  if (!drivers.has(driver)) return `pci slot ${slot}:${func}: unknown device "${driver}"`;
  return { ...where, driver, options: end < 0 ? '' : emulation.slice(end + 1) };
}

/**
 * Reads the arguments after argv[0] as Darwin's getopt(3) does, one by one and without looking behind the first that
 * is no option; `vm: null` when they ask for no VM (-v and -h at once, -M when all is read). What the values of other
 * options than -s, -F and the kind of firmware say is not judged.
 */
export function parseHyperkitArguments(args: readonly string[]): Parsed {
  const devices: Device[] = [];
  let pidFile: string | null = null;
  let firmware = false;
  let printMac = false;
  let index = 0;
  while (index < args.length) {
    const word = args[index] ?? '';
    if (word === '--' || !word.startsWith('-') || word === '-') break;
    index += 1;
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if (letter === 'v' || letter === 'h') return { ok: true, vm: null };
      if (letter === 'M') printMac = true;
      if (flags.includes(letter)) continue;
      if (!withValue.includes(letter)) return { ok: false, error: `hyperkit: illegal option -- ${letter}` };
      let value = word.slice(at + 1);
      if (value === '') {
        const next = args[index];
        if (next === undefined)
          return { ok: false, error: `hyperkit: option requires an argument -- ${letter}` };
        value = next;
        index += 1;
      }
      if (letter === 'F') pidFile = value;
      if (letter === 'f') {
        if (!/^(?:kexec|fbsd|bootrom|multiboot)/.test(value))
          return { ok: false, error: 'Invalid firmware argument' };
        firmware = true;
      }
      if (letter === 's') {
        const found = device(value, devices);
        if (typeof found === 'string') return { ok: false, error: found };
        devices.push(found);
      }
      break;
    }
  }
  if (!firmware)
    return { ok: false, error: 'Usage: hyperkit [-behuwxMACHPWY] … -f fw (no firmware was given)' };
  if (printMac) return { ok: true, vm: null };
  const order = ({ bus, slot, func }: Device): number => (bus * 32 + slot) * 8 + func;
  return { ok: true, vm: { devices: devices.sort((a, b) => order(a) - order(b)), pidFile } };
}

const nics = new Set(['virtio-vpnkit', 'virtio-net', 'virtio-ipc', 'virtio-tap']);

/** The NICs that a guest sees, in its order: functions 1-7 of a slot count only when function 0 is there. */
export const guestNics = (devices: readonly Device[]): readonly Device[] =>
  devices.filter(
    ({ bus, slot, func, driver }) =>
      nics.has(driver) &&
      (func === 0 || devices.some((other) => other.bus === bus && other.slot === slot && other.func === 0)),
  );
