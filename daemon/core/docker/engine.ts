/** Whether Docker Engine answers. Pure. */
import { entryOf } from '../../api/reasons/registry.js';
import { restartDocker } from '../../api/reasons/remedies.js';
import { type Judge, no, unclear, yes } from '../condition.js';
import { valueOf } from '../observation.js';

export const engine: Judge<'Engine'> = ({ observation: { vm, engine: seen } }) => {
  if (vm.known && !vm.value) return no('NoVm', 'no VM');
  if (!seen.known) {
    const isCurable = entryOf('Engine', seen.reason ?? 'NotSeen')?.whatToDo?.includes(restartDocker) === true;
    const runtime = valueOf(vm)?.runtime?.name ?? 'Docker Desktop';
    return unclear(isCurable ? `${seen.why}. If it stays so, restart ${runtime}` : seen.why, seen.reason);
  }
  return seen.value
    ? yes('Answering', `Docker Engine ${seen.value.version}, ${seen.value.networks.length} networks`)
    : no('NotAsked', 'Docker Engine is not asked while there is no VM');
};
