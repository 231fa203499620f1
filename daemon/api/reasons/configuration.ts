import type { Topic } from './record.js';

export const configuration = {
  code: 'TT100',
  question: 'Is the configuration in force?',
  reasons: {
    Invalid: {
      severity: 'persistent',
      meaning:
        '`/etc/tuntapd/config.toml` is not valid; the message names the key, its value and what is allowed. The ' +
        'daemon keeps the configuration it had; one that has had none since it started does nothing.',
      whatToDo: [
        { text: 'See what is wrong with the file', command: 'tuntapctl config check' },
        { text: 'Fix it. The daemon reads the fixed file within ten seconds' },
      ],
    },
    Valid: { severity: 'fine', meaning: 'The configuration, or its defaults without a file, is in force.' },
  },
} as const satisfies Topic;
