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

/** `sscanf("%d")`: optional sign and blanks, digits, the rest left over. */
const scan = /^\s*([+-]?\d+)(.*)$/s;

function place(text: string): { bus: number; slot: number; func: number } | null {
  const numbers: number[] = [];
  let rest: string | undefined = text;
  for (;;) {
    const match: RegExpExecArray | null = scan.exec(rest);
    if (!match) return null;
    numbers.push(Number(match[1]));
    if (match[2] === '') break;
    if (!match[2]?.startsWith(':') || numbers.length === 3) return null;
    rest = match[2].slice(1);
  }
  const [bus, slot, func] =
    numbers.length === 3 ? numbers : numbers.length === 2 ? [0, ...numbers] : [0, ...numbers, 0];
  if (bus === undefined || slot === undefined || func === undefined) return null;
  const inside = bus >= 0 && bus < 256 && slot >= 0 && slot < 32 && func >= 0 && func < 8;
  return inside ? { bus, slot, func } : null;
}

function device(text: string): Device | string {
  const comma = text.indexOf(',');
  if (comma < 0) return `Invalid PCI slot info field "${text}"`;
  const where = place(text.slice(0, comma));
  if (!where) return `Invalid PCI slot info field "${text}"`;
  const emulation = text.slice(comma + 1);
  const end = emulation.indexOf(',');
  const driver = end < 0 ? emulation : emulation.slice(0, end);
  return { ...where, driver, options: end < 0 ? '' : emulation.slice(end + 1) };
}

/** Reads the arguments after argv[0] as getopt(3) does; `vm: null` when they ask for no VM (-v, -h, -M). */
export function parseHyperkitArguments(args: readonly string[]): Parsed {
  const devices: Device[] = [];
  let pidFile: string | null = null;
  let index = 0;
  while (index < args.length) {
    const word = args[index] ?? '';
    if (word === '--' || !word.startsWith('-') || word === '-') break;
    index += 1;
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if ('vhM'.includes(letter)) return { ok: true, vm: null };
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
      if (letter === 's') {
        const found = device(value);
        if (typeof found === 'string') return { ok: false, error: found };
        const taken = devices.some(
          ({ bus, slot, func }) => bus === found.bus && slot === found.slot && func === found.func,
        );
        if (taken) return { ok: false, error: `pci slot ${found.slot}:${found.func} already occupied!` };
        devices.push(found);
      }
      break;
    }
  }
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
