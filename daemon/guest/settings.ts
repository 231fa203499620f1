import { type ConsoleUser, type Seen, seen, unknown } from '../core/observation.js';
import { messageOf, plain } from '../lib/text.js';
import { settingsAnswerSchema, type SettingsRequest } from './context-protocol.js';

export interface Settings {
  /** Whether kernel networking for UDP is on; null inside: the settings do not tell. */
  readonly kernelForUdp: (user: ConsoleUser, vm: string) => Seen<boolean | null>;
}

/**
 * Reads Docker Desktop's settings by way of `ask`, once for each VM, which has them from its start. Nobody waits for the
 * answer: `onAnswer` is called when it is there.
 */
export function createSettings(parts: {
  ask: (request: SettingsRequest) => Promise<unknown>;
  onAnswer: () => void;
}): Settings {
  const { ask, onAnswer } = parts;
  let last: { readonly vm: string; answer: Seen<boolean | null> } | null = null;

  async function read({ uid, gid, home }: ConsoleUser): Promise<Seen<boolean | null>> {
    try {
      const said = settingsAnswerSchema.parse(await ask({ uid, gid, home, settings: true }));
      return said.ok ? seen(said.kernelForUdp) : unknown(said.message);
    } catch (error) {
      return unknown(plain(messageOf(error)));
    }
  }

  return {
    kernelForUdp: (user, vm) => {
      if (last?.vm !== vm) {
        const asked: typeof last = { vm, answer: unknown('Docker’s settings have not been read yet') };
        last = asked;
        void read(user).then((answer) => {
          asked.answer = answer;
          onAnswer();
        });
      }
      return last.answer;
    },
  };
}
