import manifest from '../package.json' with { type: 'json' };

/** Version of the product; the daemon and the CLI are built from the same one. */
export const version: string = manifest.version;
