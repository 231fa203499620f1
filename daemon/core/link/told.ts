/** What a link is in words that a person knows. Pure. */
import { kindOf } from '../observation.js';
import type { LinkState } from './link.js';

/** The link that is there; null: none. */
export function toldLink({ link, vm }: LinkState): string | null {
  if (!link || !vm) return null;
  return kindOf(vm) === 'hyperkit'
    ? `a network card of HyperKit’s on the tap kext (${link.interface})`
    : `shared network of macOS (${link.interface})${vm.executable?.endsWith('com.docker.virtualization') === true ? ', by Docker’s kernel networking' : ''}`;
}
