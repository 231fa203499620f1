/** Whether Docker's VM has the tap, and who has it instead. Pure. */
import { olderOf, leftBehind } from '../docker/virtual-machine.js';
import { type Judge, no, unclear, yes } from '../condition.js';
import { heldTap, leftoverWithTap } from './tap-holder.js';

export const tapAttached: Judge<'TapAttached'> = ({
  config,
  observation,
  memory,
  link,
  collision,
  restart,
}) => {
  const { vm, tap, otherVms, consoleUser: user } = observation;
  const { device, mac } = config.tap;
  if (!vm.known) return unclear(vm.why);
  if (!vm.value) return no('NoVm', 'no VM');
  if (!tap.interface.known) return unclear(tap.interface.why);
  const { pid, uid } = vm.value;
  const inFront = user.known ? user.value : null;
  const held = heldTap(observation);
  if (held && inFront && inFront.uid !== uid) {
    const waiting = otherVms.find((other) => other.uid === inFront.uid);
    if (waiting)
      return no(
        'HeldByOtherUser',
        `${device} is held by Docker’s VM of uid ${uid} (pid ${pid}), who is still logged in, so that of ` +
          `${inFront.name} (pid ${waiting.pid}) has no link: quit Docker there, then restart it here`,
      );
  }
  if (link.vm) return yes('Attached', `the VM holds /dev/${device} (pid ${pid})`);
  const leftover = leftoverWithTap(observation);
  if (leftover)
    return no(
      'HeldByLeftover',
      `${device} is held by pid ${leftover.pid}, but the engine is that of pid ${pid}, so nothing is set up. ` +
        leftBehind(olderOf(vm.value, otherVms)),
    );
  if (tap.interface.value && !held)
    return no(
      'HeldByAnother',
      `${device} is held by pid ${tap.interface.value.holder ?? 'unknown'}, which is not Docker’s VM: choose another tap.device`,
    );
  if (collision !== null) return no('LinkCollision', collision);
  const lack = vm.value.tapIsForeign
    ? `the VM’s card on ${device} has another MAC than ${mac}`
    : `the VM runs without ${device}`;
  if (memory.restart.reopen)
    return no('RestartPending', `${lack}: tuntapd has asked Docker to quit, and opens it again`);
  if (restart.act === 'ask')
    return no('RestartNeeded', `${lack}: quit Docker Desktop and open it again (${restart.why})`);
  if (restart.act !== 'none') return no('RestartPending', `${lack}: ${restart.why}`);
  if (vm.value.tapIsForeign) return no('OtherMac', `${lack}: restart Docker Desktop once`);
  return vm.value.startedWithTap
    ? no(
        'TapNotOpened',
        `the VM was started with ${device} but could not open it, and does not try again: restart Docker Desktop`,
      )
    : no('StartedWithoutTap', 'the VM was started before the shim was in place: restart Docker Desktop once');
};
