/** Something that stops an installation or a removal, in words for the person who asked for it. */
export class Problem extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Problem';
  }
}
