import type { Vm, VmKind } from '../core/observation.js';
import { identityOf } from './identity.js';
import type { Process } from './processes.js';

/**
 * The programs of Docker.app that are a VM: by Apple's Virtualization framework, and by Docker's own monitor (libkrun up
 * to 4.79, sailor from 4.83). Like hyperkit's, a path may hold blanks, and a program that reads it is no VM.
 */
const program =
  /^(\/(?:(?! [-/]).)*?\.app\/Contents\/MacOS\/com\.docker\.(virtualization|krun|sailor))( -.*)?$/s;

const kinds: Readonly<Record<string, VmKind>> = {
  virtualization: 'virtualization',
  krun: 'docker-vmm',
  sailor: 'docker-vmm',
};

/** Whether an option stands in what follows argv[0]. */
const has = (args: string, option: string): boolean => ` ${args} `.includes(` ${option} `);

/**
 * Every VM of Docker's that runs without HyperKit, whoever's it is. The Virtualization framework's has a kernel to start
 * (`--kernel`); without one the program only answers a question.
 */
export const virtualVms = (processes: readonly Process[]): readonly Vm[] =>
  processes.flatMap((process): Vm[] => {
    const [, executable = '', name = '', args = ''] = program.exec(process.cmd ?? '') ?? [];
    const kind = kinds[name];
    const identity = identityOf(process);
    if (kind === undefined || identity === null) return [];
    if (kind === 'virtualization' && !has(args, '--kernel')) return [];
    return [
      {
        ...identity,
        startedWithTap: false,
        tapIsForeign: false,
        executable,
        kind,
        asksForNic: has(args, '--kernel-for-udp'),
      },
    ];
  });
