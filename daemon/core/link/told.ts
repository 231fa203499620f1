/** What a link is in words that a person knows. Pure. */
import type { Judgement } from '../judgement.js';
import { kindOf } from '../observation.js';

/** The link that is up and wanted so; null: none. */
export function toldLink({ link: state, memory }: Pick<Judgement, 'link' | 'memory'>): string | null {
  if (state.kind !== 'up' || memory.wanted !== 'up') return null;
  const { interface: name } = state.link;
  if (kindOf(state.vm) === 'hyperkit') return `a network card of HyperKit’s on the tap kext (${name})`;
  const isDockers = state.vm.executable?.endsWith('/com.docker.virtualization') === true;
  return `shared network of macOS (${name})${isDockers ? ', by Docker’s kernel networking' : ''}`;
}
