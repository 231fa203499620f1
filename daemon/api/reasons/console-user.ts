import type { Topic } from './record.js';
import { readLogs } from './remedies.js';

export const consoleUser = {
  code: 'TT101',
  question: 'Is somebody logged in?',
  reasons: {
    NobodyLoggedIn: {
      severity: 'idle',
      meaning: 'The Mac shows its login window. Docker’s VM runs for a user, so there is nothing to set up.',
    },
    NotSeen: {
      severity: 'transient',
      meaning:
        '`scutil` (who is in front of the Mac) or directory services (where that user’s home is) failed or took ' +
        'too long. What is set up stays as it is.',
      whatToDo: [readLogs],
    },
    LoggedIn: {
      severity: 'fine',
      meaning: 'This user’s Docker counts: Docker Desktop, or the runtime to which docker’s context leads.',
    },
  },
} as const satisfies Topic;
