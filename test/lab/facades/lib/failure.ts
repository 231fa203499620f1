/** Ends ifconfig with 1 and these words. */
export class Failure extends Error {}
