/** Where an installation comes from, in words for whoever has to ask for it again. */
export interface Origin {
  readonly command: string;
  /** What helps when there is no product, or one that somebody changed. */
  readonly product: string;
  /** What helps when the runtime is not the one that root is to run. */
  readonly runtime: string;
}

export const checkout: Origin = {
  command: 'sudo make install-daemon',
  product: 'Build it with: make clean build',
  runtime:
    'npm has that one; in the checkout, as yourself and never as root: rm -rf node_modules && npm ci && sudo make install-daemon',
};

const again = 'Check what you downloaded against SHA256SUMS, and unpack it again';
export const release: Origin = { command: 'sudo ./install', product: again, runtime: again };
