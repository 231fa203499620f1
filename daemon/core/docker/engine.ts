/** Whether Docker Engine answers. Pure. */
import { entryOf } from '../../api/reasons/registry.js';
import { restartRuntime } from '../../api/reasons/remedies.js';
import { type Judge, no, unclear, yes } from '../condition.js';
import type { Memory } from '../memory.js';
import { kindOf, valueOf, type Vm } from '../observation.js';

/** Whether a VM's engine has anything to do. Docker VMM's has not, but for what is left in it when that is to go. */
export const isAsked = (vm: Vm, { wanted }: Pick<Memory, 'wanted'>): boolean =>
  kindOf(vm) !== 'docker-vmm' || wanted !== 'up';

export const engine: Judge<'Engine'> = ({ observation: { vm, engine: seen }, memory }) => {
  if (vm.known && !vm.value) return no('NoVm', 'no VM');
  if (vm.known && vm.value && !isAsked(vm.value, memory))
    return yes('NotNeeded', 'nothing can be set up in a VM of Docker VMM’s, so its engine is not asked');
  if (!seen.known) {
    const isCurable =
      entryOf('Engine', seen.reason ?? 'NotSeen')?.whatToDo?.includes(restartRuntime) === true;
    const runtime = valueOf(vm)?.runtime?.name ?? 'Docker Desktop';
    return unclear(isCurable ? `${seen.why}. If it stays so, restart ${runtime}` : seen.why, seen.reason);
  }
  return seen.value
    ? yes('Answering', `Docker Engine ${seen.value.version}, ${seen.value.networks.length} networks`)
    : no('NotAsked', 'Docker Engine is not asked while there is no VM');
};
