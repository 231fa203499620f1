/** Docker's VMs: the one that counts, and those beside it. Pure. */
import { type Judge, no, unclear, yes } from '../condition.js';
import { kindOf, valueOf, type Vm, type VmKind } from '../observation.js';
import { chooseRuntime, toldBeside } from './runtime.js';

const named = (vms: readonly Vm[]): string =>
  vms.map(({ pid, uid }) => `pid ${pid} of uid ${uid}`).join(', ');

/** The other VMs of the same user. */
export const olderOf = ({ uid }: Vm, otherVms: readonly Vm[]): readonly Vm[] =>
  otherVms.filter((other) => other.uid === uid);

/** Which of one user's VMs are left over from before the one that counts, and how to end them. */
export function leftBehind(older: readonly Vm[]): string {
  const told = older.map(({ pid, startedAt }) => `pid ${pid} (since ${startedAt})`).join(' and ');
  const pids = older.map(({ pid }) => pid).join(' ');
  return (
    `${older.length + 1} VMs of Docker’s of one user run, and ${told} is left over from before: quit Docker Desktop, ` +
    `end what stays with \`kill ${pids}\`, and open Docker Desktop again`
  );
}

const program: Readonly<Record<VmKind, string>> = {
  hyperkit: 'hyperkit',
  virtualization: 'Apple’s Virtualization framework',
  'docker-vmm': 'Docker VMM',
};

export const virtualMachine: Judge<'VirtualMachine'> = ({ config, observation }) => {
  const { vm, otherVms, docker, consoleUser: user, runtimes } = observation;
  if (!vm.known) return unclear(vm.why);
  const older = vm.value ? olderOf(vm.value, otherVms) : [];
  const strangers = otherVms.filter((other) => !older.includes(other));
  const others = [
    ...(strangers.length === 0 ? [] : [`; another one without our link: ${named(strangers)}`]),
    ...(older.length === 0 ? [] : [`; ${leftBehind(older)}`]),
    ...(runtimes ? [toldBeside(config, runtimes, vm.value)] : []),
  ].join('');
  const choice = runtimes && chooseRuntime(config, runtimes);
  if (!vm.value && choice?.kind === 'none') return no(choice.reason, choice.message);
  const byApple = valueOf(docker)?.find(({ virtualization }) => virtualization);
  if (!vm.value && byApple)
    return no(
      'VirtualizationFramework',
      `Docker’s VM (pid ${byApple.pid}) runs by Apple’s Virtualization framework, which cannot be given a tap: choose ` +
        `HyperKit in Docker’s settings (General), where this Docker Desktop still offers it${others}`,
    );
  if (!vm.value)
    return no('NotRunning', `Docker’s VM does not run; everything is set up when it starts${others}`);
  const { pid, uid, startedAt } = vm.value;
  if (kindOf(vm.value) === 'docker-vmm')
    return no(
      'DockerVmm',
      `Docker’s VM (pid ${pid}) runs by Docker VMM, which gives it no NIC that the Mac shares: in Docker’s settings > ` +
        'General > Virtual Machine Options choose Apple Virtualization framework, and in Resources > Network switch on ' +
        `“Use kernel networking for UDP”${others}`,
    );
  const behind =
    user.known && user.value?.uid !== uid ? ` for uid ${uid}, who is logged in but not in front` : '';
  const what = vm.value.runtime ? `${vm.value.runtime.name}’s VM` : program[kindOf(vm.value)];
  return yes('Running', `${what} runs as pid ${pid} since ${startedAt}${behind}${others}`);
};
