import { label, type Layout } from '../daemon/lib/layout.js';

type PlistValue = string | number | boolean | readonly PlistValue[] | { readonly [key: string]: PlistValue };

/** Seconds from SIGTERM to SIGKILL. Said, since the default is 20 in the manual and 5 in practice. */
export const exitTimeout = 20;

/** The daemon as launchd's keys (launchd.plist(5)). */
export const daemonPlist = (layout: Layout): Readonly<Record<string, PlistValue>> => ({
  Label: label,
  ProgramArguments: [layout.runtime, layout.daemon],
  RunAtLoad: true,
  KeepAlive: true,
  ThrottleInterval: 10,
  ExitTimeOut: exitTimeout,
  // Only for what the runtime says when it crashes: launchd keeps the file open, so that only its next start writes to a new one.
  StandardErrorPath: layout.launchdLog,
  // Each watched folder costs a descriptor on macOS; beyond the default of 256 spawning fails with EBADF.
  SoftResourceLimits: { NumberOfFiles: 1024 },
  // Decimal, as older launchds take no string: 0o027.
  Umask: 0o027,
});

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function element(value: PlistValue, indent: string): string {
  if (typeof value === 'string') return `${indent}<string>${escaped(value)}</string>\n`;
  if (typeof value === 'number') return `${indent}<integer>${value}</integer>\n`;
  // Never <true></true>: launchd refuses what plutil accepts.
  if (typeof value === 'boolean') return `${indent}<${value ? 'true' : 'false'}/>\n`;
  const inner = `${indent}  `;
  if (value instanceof Array)
    return `${indent}<array>\n${value.map((item: PlistValue) => element(item, inner)).join('')}${indent}</array>\n`;
  const entries = Object.entries(value)
    .map(([key, item]) => `${inner}<key>${escaped(key)}</key>\n${element(item, inner)}`)
    .join('');
  return `${indent}<dict>\n${entries}${indent}</dict>\n`;
}

/** A property list in XML. Numbers must be integers. */
export const renderPlist = (value: PlistValue): string =>
  `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${element(value, '')}</plist>
`;
