import { execFileSync } from 'node:child_process';
import type { MacOptions } from './options.js';
import type { Handlers } from './rpc.js';

/**
 * What System Settings > Privacy & Security lets tuntapd do. App Management (macOS 13 and newer) has the kernel refuse
 * changes inside of an app to everybody who was not given it, root too, with EPERM: here every folder of `app` is
 * immutable until it is granted. Automation is asked by osascript.
 */
export function createPrivacy(
  app: string,
  { appManagement, automation }: Pick<MacOptions, 'appManagement' | 'automation'>,
): { handlers: Handlers; start: () => void } {
  let maySendEvents = automation === 'allowed';
  const protect = (sign: '+' | '-'): void => {
    execFileSync('/usr/bin/find', [app, '-type', 'd', '-exec', '/.lab/bin/chattr', `${sign}i`, '{}', '+']);
  };
  return {
    start: () => {
      if (appManagement === 'refused') protect('+');
    },
    handlers: {
      'privacy.grant-app-management': () => {
        protect('-');
      },
      'privacy.automation': () => maySendEvents,
      'privacy.set-automation': ({ allowed }: { allowed: boolean }) => {
        maySendEvents = allowed;
      },
    },
  };
}
