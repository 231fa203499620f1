/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  /** e.g. `tap.mtu`; empty when it is about the file as a whole. */
  readonly key: string;
  /** From 1; null when it is not about a line. */
  readonly line: number | null;
  /** As it would be written in TOML; null when there is none to show. */
  readonly value: string | null;
  /** What is allowed, or what is wrong. */
  readonly message: string;
}

const sentence = ({ key, line, value, message }: ConfigProblem): string => {
  const place = line === null ? '' : `line ${line}: `;
  if (key === '') return `${place}${message}`;
  return value === null
    ? `${place}${key}: ${message}`
    : `${place}${key} = ${value} is not allowed; it must be ${message}`;
};

/** A configuration that cannot be used, with its problems. Nothing of it has been applied. */
export class ConfigError extends Error {
  readonly path: string;
  readonly problems: readonly ConfigProblem[];
  /** The command that mends it, where one does; null: somebody has to edit the file. */
  readonly fix: string | null;
  /** Whether it may well be usable, and merely cannot be read by this account. */
  readonly isClosed: boolean;

  constructor(
    path: string,
    problems: readonly ConfigProblem[],
    options: { headline?: string; cause?: unknown; fix?: string | null; isClosed?: boolean } = {},
  ) {
    super(
      [
        options.headline ?? `${path} cannot be used, and nothing of it is applied:`,
        ...problems.map((problem) => `  ${sentence(problem)}`),
      ].join('\n'),
      options,
    );
    this.name = 'ConfigError';
    this.path = path;
    this.problems = problems;
    this.fix = options.fix ?? null;
    this.isClosed = options.isClosed ?? false;
  }
}
