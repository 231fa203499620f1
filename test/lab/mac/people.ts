import { readFileSync } from 'node:fs';

export interface Person {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly realName: string;
  readonly home: string;
  readonly shell: string;
}

/** Everybody in /etc/passwd: the lab's directory service. */
export const people = (): Person[] =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [name, , uid, gid, realName, home, shell] = line.split(':');
      return name && uid && gid && realName !== undefined && home && shell
        ? [{ name, uid: Number(uid), gid: Number(gid), realName, home, shell }]
        : [];
    });

/** All groups of somebody, his own first. */
export const groupsOf = ({ name, gid }: Person): number[] => [
  ...new Set([
    gid,
    // Directory services put every account into everyone (12).
    12,
    ...readFileSync('/etc/group', 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, , group, members] = line.split(':');
        return group && members?.split(',').includes(name) ? [Number(group)] : [];
      }),
  ]),
];
