/** Something that stops an installation or a removal, in words for the person who asked for it. */
export class Problem extends Error {
  /** What the process ends with: 1, or 2 for what was asked in a wrong way. */
  readonly exitCode: number;

  constructor(message: string, { exitCode = 1, ...options }: { cause?: unknown; exitCode?: number } = {}) {
    super(message, options);
    this.name = 'Problem';
    this.exitCode = exitCode;
  }
}
