/** Where `metrics.listen` may have the daemon listen: on this Mac alone. */
/** What it has to be, for people. */
export const allowedListen =
  'a loopback address of this Mac with a port, like 127.0.0.1:9475 or [::1]:9475: no other machine may ask';

export interface Listen {
  readonly host: string;
  readonly port: number;
}

/** The address and port that `text` means; null unless it is a loopback address with a port. */
export function listenOf(text: string): Listen | null {
  const [, v6, v4, digits = ''] = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65_535) return null;
  if (v6 === '::1') return { host: v6, port };
  // A name, localhost included, is what /etc/hosts says.
  return v4 !== undefined && /^127(?:\.(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])){3}$/.test(v4)
    ? { host: v4, port }
    : null;
}
