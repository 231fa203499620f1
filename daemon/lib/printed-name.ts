/**
 * Whether a routing table prints an interface of this name so: macOS 11 and older cut names to 7 characters there, in the
 * table of IPv6 to 8 (netstat.tproj/route.c, WID_IF).
 */
export const isPrintedAs = (name: string, printed: string): boolean =>
  name === printed || (printed.length >= 7 && name.startsWith(printed));
