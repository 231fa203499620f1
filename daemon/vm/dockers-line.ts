/**
 * Which hyperkits are Docker's VMs, judged on the command line as `ps` prints it. Pure. The shim has the same rule for
 * the words themselves, and test/fixtures/hyperkit-argv.jsonl holds both to it:
 *
 * - The pid file (`-F`) decides where there is one. Docker keeps it in `vms/N/` of its container folder, where it starts
 *   its VMs (so the path is relative), or up to 17.12 in a folder `com.docker.…`. minikube, linuxkit and dangerzone name
 *   folders of their own, even where their NIC is on Docker's vpnkit or the hyperkit is Docker's.
 * - Docker Desktop's first betas have no `-F`. Their NIC's `macfile=` lies in the folder of the VM itself. That its
 *   `path=` is the socket of Docker's vpnkit says nothing: others use that, too.
 */

/** Options without a value, and those with one (hyperkit.c, getopt). */
const flags = 'behvuwxMACHPW';
const withValue = 'YfFgcsmlU';

/** The letters that ask for a word and no VM: version, help, MAC address. */
const noVm = 'vhM';

interface Option {
  readonly letter: string;
  readonly value: string;
}

/**
 * The options in what follows argv[0]. `ps` joins words by blanks, so a value goes on until the next word that begins
 * with `-`; an option that hyperkit does not have ends it and is skipped.
 */
function optionsIn(args: string): Option[] {
  const options: Option[] = [];
  let isOpen = false;
  let awaited: string | null = null;
  for (const word of args.split(' ')) {
    const last = options.at(-1);
    if (awaited !== null) {
      options.push({ letter: awaited, value: word });
      awaited = null;
      isOpen = true;
    } else if (!word.startsWith('-')) {
      if (isOpen && last) options.splice(-1, 1, { ...last, value: `${last.value} ${word}` });
    } else {
      isOpen = false;
      for (let at = 1; at < word.length; at += 1) {
        const letter = word.charAt(at);
        const value = word.slice(at + 1);
        if (withValue.includes(letter)) {
          if (value === '') awaited = letter;
          else options.push({ letter, value });
          isOpen = value !== '';
          break;
        }
        if (!flags.includes(letter)) break;
        options.push({ letter, value: '' });
      }
    }
  }
  return options;
}

const dockersPidFile = /^vms\/|(?:^|\/)com\.docker\./;
const folderOfDockersVm = /^vms\/|\/com\.docker\.driver\.[^/]*\/|\/com\.docker\.docker\/Data\/vms\//;

/** Whether an option of this device names a file in the folder of a VM of Docker's, as only its own NIC does. */
function isDockersNic(device: string): boolean {
  const [, driver = '', ...options] = device.split(',');
  const own = (name: string): boolean =>
    folderOfDockersVm.test(options.find((option) => option.startsWith(name))?.slice(name.length) ?? '');
  return /^virtio-(?:vpnkit|ipc)$/.test(driver) && (own('macfile=') || own('path='));
}

/** The devices (`[[bus:]slot[:func]],driver[,options]`) of a VM of Docker's; null where the line starts none. */
export function dockersDevices(args: string): string[] | null {
  const options = optionsIn(args);
  const values = (letter: string): string[] =>
    options.filter((option) => option.letter === letter).map(({ value }) => value);
  const devices = values('s').filter((value) => /^[0-9:]+,/.test(value));
  if (devices.length === 0 || options.some(({ letter }) => noVm.includes(letter))) return null;
  const pidFile = values('F').at(-1);
  const isDockers = pidFile === undefined ? devices.some(isDockersNic) : dockersPidFile.test(pidFile);
  return isDockers ? devices : null;
}
