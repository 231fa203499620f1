import type { Person } from './people.js';

/** A login session, at the screen or from afar. */
export interface Login {
  /** Its place among all logins since boot, from 0. */
  readonly number: number;
  readonly person: Person;
  /** As typed at the login window: a short name, a full name, a mail address. */
  readonly name: string;
}

export interface Logins {
  /** In the order in which they began. */
  readonly all: readonly Login[];
  /** Whoever has the screen; null is the login window. */
  readonly front: Login | null;
  /** Whoever came last, to the screen or from afar; null is the login window. */
  readonly last: Login | null;
}

export const nobody: Logins = { all: [], front: null, last: null };

/** Somebody logs in, or comes back to a session that went on meanwhile; `at` says whether he gets the screen. */
export function logIn(logins: Logins, at: 'the screen' | 'afar', person: Person, name = person.name): Logins {
  const { all, front } = logins;
  const known = all.find((login) => login.person.uid === person.uid);
  const login = known ?? { number: (all.at(-1)?.number ?? -1) + 1, person, name };
  return {
    all: known ? all : [...all, login],
    front: at === 'the screen' ? login : front,
    last: login,
  };
}

/** Whoever has the screen logs out: the login window is in front of all other sessions. */
export const logOut = ({ all, front }: Logins): Logins => ({
  all: all.filter((login) => login !== front),
  front: null,
  last: null,
});
