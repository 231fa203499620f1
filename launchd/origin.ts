/** Where an installation comes from, in words for whoever has to ask for it again. */
export interface Origin {
  readonly command: string;
  /** How to install it again: a command, after where to run it unless that is the checkout. */
  readonly again: string;
  /** What helps when there is no product, or one that somebody changed. */
  readonly product: string;
  /** What helps when the runtime is not the one that root is to run. */
  readonly runtime: string;
}

const make = 'sudo make install-daemon';

export const checkout: Origin = {
  command: make,
  again: make,
  product: 'Build it with: make clean build',
  runtime:
    'npm has that one; in the checkout, as yourself and never as root: rm -rf node_modules && npm ci && sudo make install-daemon',
};

const unpack = 'Check what you downloaded against SHA256SUMS, and unpack it again';
export const release: Origin = {
  command: 'sudo ./install',
  again: 'In the folder of the release: sudo ./install',
  product: unpack,
  runtime: unpack,
};

const brew = 'Have Homebrew install it again: brew reinstall tuntapd && sudo tuntapd-install';
export const homebrew: Origin = {
  command: 'sudo tuntapd-install',
  again: 'sudo tuntapd-install',
  product: brew,
  runtime: brew,
};

/** By the installer’s argument, and where it lies: the folder that Homebrew keeps what it installs in is a Cellar. */
export const originOf = (argument: string | undefined, folder: string): Origin =>
  argument !== 'release' ? checkout : /\/Cellar\/tuntapd\//.test(folder) ? homebrew : release;
