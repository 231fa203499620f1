import { unvis } from './vis.js';

/** What is known of a process that may be Docker's. */
export interface Process {
  readonly pid: number;
  readonly uid?: number | undefined;
  readonly cmd?: string | undefined;
  readonly startTime?: Date | undefined;
}

/** Characters of a command line that are looked at; hyperkit's has about 2000. */
export const maxCommand = 8192;

/** Candidates of one user that count, the oldest; an ordinary Docker has about a dozen processes. */
const maxPerUser = 32;

const mayBeDockers =
  /hyperkit|\.app\/Contents\/MacOS\/(?:Docker|com\.docker\.)|\/\.?limactl[^\s/]* (?:--debug )?hostagent |\/gvproxy(?: |$)|OrbStack Helper vmgr/;

/** The oldest few of each user: nobody's processes crowd out another's. */
export function fewOfEach<
  T extends { readonly uid?: number | undefined; readonly startTime?: Date | undefined },
>(processes: readonly T[]): T[] {
  const counts = new Map<number | undefined, number>();
  return processes
    .toSorted((one, other) => (one.startTime?.getTime() ?? 0) - (other.startTime?.getTime() ?? 0))
    .filter(({ uid }) => {
      const count = (counts.get(uid) ?? 0) + 1;
      counts.set(uid, count);
      return count <= maxPerUser;
    });
}

/** The start of a command line as its process has it, from what `ps` printed. */
export const commandOf = (printed: string): string => unvis(printed.slice(0, maxCommand));

/** The few processes that may be Docker's, or of another runtime's VM, with as much of their command lines as counts. */
export const candidatesOf = (processes: readonly Process[]): Process[] =>
  fewOfEach(
    processes
      .map(({ pid, uid, cmd = '', startTime }) => ({ pid, uid, cmd: commandOf(cmd), startTime }))
      .filter(({ cmd }) => mayBeDockers.test(cmd)),
  );
