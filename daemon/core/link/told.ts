/** What a link is in words that a person knows. Pure. */
import type { Judgement } from '../judgement.js';
import { kindOf } from '../observation.js';

/** What makes the link that is up and wanted so; null: none. */
export function toldLink({ link: state, memory }: Pick<Judgement, 'link' | 'memory'>): string | null {
  if (state.kind !== 'up' || memory.wanted !== 'up') return null;
  if (kindOf(state.vm) === 'hyperkit') return 'HyperKit’s tap';
  const isDockers = state.vm.executable?.endsWith('/com.docker.virtualization') === true;
  return isDockers ? 'Docker’s kernel networking' : 'shared network of macOS';
}
