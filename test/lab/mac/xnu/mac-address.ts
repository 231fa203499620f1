import { randomBytes } from 'node:crypto';

/** A random address of an interface's hardware, locally administered (tap.cc initialize_interface). */
export function macAddress(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 2;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
