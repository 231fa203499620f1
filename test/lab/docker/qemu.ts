/** The real VM behind every program of the lab that starts one: QEMU with the lab's kernel, initrd and disk. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { MacOptions } from '../mac/options.js';

export type VmFiles = NonNullable<MacOptions['vm']>;

/** What the guest's init says on its console. */
const engineAnswers = 'lab: engine answers';

/** Where the Engine answers on 127.0.0.1, in the VM's working directory, once it does. */
export const portFile = 'engine.port';

/** The socket, likewise, by which a test has the VM run a script (`init.sh`). */
export const shellFile = 'vm.shell';

export function giveUp(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

export const vmFiles = (): VmFiles => JSON.parse(readFileSync('/.lab/run/vm.json', 'utf8')) as VmFiles;

/** A TCP port of 127.0.0.1 that is free now. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
      });
    });
  });

/**
 * A disk that is laid over the image's own at its first start and kept from then on: networks, images and containers
 * outlive the VM.
 */
export function overlayOn(base: string, file: string): string {
  if (!existsSync(file))
    execFileSync('/.lab/bin/qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, file]);
  return file;
}

/** QEMU's arguments for all but the NICs; `kernelLine` is added to the guest's kernel's own. */
export const machineArguments = (files: VmFiles, disk: string, kernelLine = ''): string[] => [
  '-machine',
  'pc',
  '-accel',
  'tcg,thread=multi',
  '-cpu',
  // The least that the guest's programs use is emulated fastest; without rdrand it waits for entropy.
  'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand',
  '-smp',
  String(files.processors),
  '-m',
  '1300',
  '-nodefaults',
  '-display',
  'none',
  '-no-reboot',
  '-serial',
  'stdio',
  '-serial',
  `unix:${shellFile},server=on,wait=off`,
  '-kernel',
  files.kernel,
  '-initrd',
  files.initrd,
  '-append',
  // A loaded host is too late for the kernel's own check of its timer ("IO-APIC + timer doesn't work"), and QEMU
  // translates a library anew at each address it is loaded to: each program's start took twice as long.
  `console=ttyS0 quiet panic=1 mitigations=off net.ifnames=0 no_timer_check norandmaps${kernelLine}`,
  '-drive',
  `file=${disk},format=qcow2,if=none,id=disk,cache=unsafe`,
  '-device',
  'virtio-blk-pci,drive=disk,addr=0x1e',
];

export interface RunningVm {
  /** Tells the guest's init. */
  readonly tell: (line: string) => void;
}

/**
 * Starts QEMU, passes its console on to stdout and writes `portFile` once the Engine answers on `port`. With the VM this
 * process ends, after `cleanUp`; SIGTERM presses the power button.
 */
export function runVm(argv: readonly string[], port: number, cleanUp: () => void): RunningVm {
  const vm = spawn(
    '/.lab/bin/setpriv',
    [
      '--pdeathsig',
      'KILL',
      '/.lab/bin/qemu-system-x86_64',
      '-L',
      '/usr/share/seabios',
      '-L',
      '/usr/share/qemu',
      ...argv,
    ],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      // QEMU looks for its modules beside its own program, which the lab shows at another path.
      env: { ...process.env, QEMU_MODULE_DIR: '/usr/lib/x86_64-linux-gnu/qemu' },
    },
  );
  let heard = '';
  let answers = false;
  vm.stdout.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk);
    if (answers) return;
    heard += chunk.toString();
    answers = heard.includes(engineAnswers);
    heard = heard.slice(-engineAnswers.length);
    // Not before: what is sent to a guest that does not listen yet hangs in QEMU's user network for a minute.
    if (answers) writeFileSync(portFile, `${port}\n`);
  });
  // It may be told to go off when it is gone.
  vm.stdin.on('error', () => undefined);
  vm.on('error', (error) => giveUp(String(error)));
  vm.on('exit', (code) => {
    cleanUp();
    rmSync(portFile, { force: true });
    process.exit(code ?? 1);
  });
  // hyperkit presses the power button; a guest that does not listen yet has nothing to lose.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      vm.stdin.write('power off\n');
      // One that has booted writes its disk first.
      setTimeout(() => vm.kill('SIGKILL'), answers ? 12_000 : 3000);
    });
  return { tell: (line) => void vm.stdin.write(`${line}\n`) };
}
