import { call } from '../../mac/rpc.js';
import { sessionOf } from '../../mac/session.js';

export interface GuiUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user in whose GUI session this process lives; null in the system's, or when nobody is logged in. */
export async function guiUser(): Promise<GuiUser | null> {
  const user = await call<GuiUser | null>('mac.session');
  return user !== null && sessionOf() === user.uid ? user : null;
}
