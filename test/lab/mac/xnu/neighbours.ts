import { execFileSync } from 'node:child_process';

/** Whom the kernel knows, or asks for, on a link. */
export interface Neighbour {
  readonly address: string;
  readonly interface: string;
  /** Null while nobody has answered. */
  readonly mac: string | null;
  /** Seconds since that was last confirmed or asked for. */
  readonly age: number;
}

interface LinuxNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
  readonly updated?: number;
}

/** The neighbours of a family that Linux knows; multicast, which it maps without asking, is none. */
export function neighbours(family: '-4' | '-6'): Neighbour[] {
  const said = execFileSync('/.lab/bin/ip', [family, '-json', '-statistics', 'neigh', 'show'], {
    encoding: 'utf8',
  });
  return (JSON.parse(said) as LinuxNeighbour[])
    .filter(({ state }) => !state.includes('NOARP'))
    .map(({ dst, dev, lladdr, state, updated = 0 }) => ({
      address: dst,
      interface: dev,
      mac: state.includes('FAILED') ? null : (lladdr ?? null),
      age: updated,
    }));
}
