/** `dscl . -read /Users/NAME [KEY…]`, `-search /Users KEY VALUE`: the local directory, the only one of this Mac. */
import { people, type Person } from '../mac/people.js';
import { type Caller, finish } from './lib/served.js';

const record = (person: Person): Readonly<Record<string, string>> => ({
  NFSHomeDirectory: person.home,
  PrimaryGroupID: String(person.gid),
  RealName: person.realName,
  RecordName: person.name,
  UniqueID: String(person.uid),
  UserShell: person.shell,
});
const usage = 'Usage: dscl [options] [<datasource> [<command>]]\n';
const notFound = '<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n';
const noKey = (key: string): string => `No such key: ${key}\n`;

export function dscl({ args }: Caller): never {
  const [source, rawVerb = '', path = '', ...rest] = args;
  if (!['.', '/Local/Default', '/Search'].includes(source ?? '')) finish(64, { err: usage });
  const verb = rawVerb.replace(/^-/, '');
  const everybody = people();
  if (verb === 'read' && path.startsWith('/Users/')) {
    const person = everybody.find(({ name }) => name === path.slice('/Users/'.length));
    if (!person) finish(56, { err: notFound });
    const values = record(person);
    const keys = rest.length > 0 ? rest : Object.keys(values);
    // A value with a blank in it stands on a line of its own.
    const line = (key: string): string => {
      const value = values[key];
      if (value === undefined) return noKey(key);
      return value.includes(' ') ? `${key}:\n ${value}\n` : `${key}: ${value}\n`;
    };
    finish(0, { out: keys.map(line).join('') });
  }
  if (verb === 'search' && path === '/Users' && rest.length === 2) {
    const [key = '', value = ''] = rest;
    const found = everybody.filter((person) => record(person)[key] === value);
    finish(0, { out: found.map(({ name }) => `${name}\t\t${key} = (\n    ${value}\n)\n`).join('') });
  }
  finish(64, { err: usage });
}
