/** The file by which macOS asks our server for the zone (resolver.5; configd, dnsinfo_flatfile.c). Pure. */

const marker = '# Added by tuntapd, which takes it away when it cannot answer';

/**
 * Its text. One blank after each word, and a comment at the beginning alone: that is all that every macOS reads. `flags`,
 * which no page documents, has macOS ask although the Mac has no network.
 */
export const resolverText = (port: number): string =>
  `${marker}\nnameserver 127.0.0.1\nport ${port}\ntimeout 5\nflags a aaaa\n`;

/** The port in a file of ours as we made it; null of any other. What somebody has changed is theirs. */
export function portIn(text: string): number | null {
  const port = Number(/^port (\d{1,3})$/m.exec(text)?.[1]);
  return text === resolverText(port) ? port : null;
}

/** Whether a file is one of ours. */
export const isOurs = (text: string): boolean => portIn(text) !== null;

/** The domain that a file is for by its own words, folded; null: the one that it is named after. */
export function domainIn(text: string): string | null {
  const [, said = ''] = /^domain[ \t]([^ \t\n]*)/m.exec(text) ?? [];
  return said.replace(/\.+$/, '').toLowerCase() || null;
}

/** Bytes of more than any of ours. */
export const maxResolverFile = 1000;
