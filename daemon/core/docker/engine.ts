/** Whether Docker Engine answers. Pure. */
import { type Judge, no, unclear, yes } from '../condition.js';

/** Why an engine is silent where a restart of Docker helps. */
const restartCures = new Set(['SocketMissing', 'SocketStale', 'SocketRefused', 'EngineSilent']);

export const engine: Judge = ({ observation: { vm, engine: seen } }) => {
  if (vm.known && !vm.value) return no('NoVm', 'no VM');
  if (!seen.known) {
    const isCurable = seen.reason !== undefined && restartCures.has(seen.reason);
    return unclear(isCurable ? `${seen.why}. If it stays so, restart Docker Desktop` : seen.why, seen.reason);
  }
  return seen.value
    ? yes('Answering', `Docker Engine ${seen.value.version}, ${seen.value.networks.length} networks`)
    : no('NotAsked', 'Docker Engine is not asked while there is no VM');
};
