import type { Layout } from '../daemon/lib/layout.js';

/**
 * newsyslog.conf(5) for the file that launchd opens: beyond 100 kB it is renamed, and the last two stay. launchd goes on
 * writing to the renamed one until it starts the daemon again; hence nobody is signalled (N), and nothing is compressed.
 */
export const rotationOf = (layout: Pick<Layout, 'launchdLog'>): string =>
  `# logfilename owner:group mode count size when flags
${layout.launchdLog} root:admin 640 2 100 * N
`;
