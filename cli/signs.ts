import type { RouteState } from '../daemon/api/messages.js';
import type { Io, Output } from './io.js';

/** The marks that stand before a line, all of one width. */
export interface Signs {
  readonly pass: string;
  readonly fail: string;
  readonly unknown: string;
  /** It comes, or comes back, by itself. */
  readonly wait: string;
  /** It is not there, and nothing is wrong with that. */
  readonly idle: string;
  /** Before what can be done. */
  readonly arrow: string;
  /** Between the two ends of the link. */
  readonly link: string;
}

const drawn: Signs = {
  pass: '✓',
  fail: '✗',
  unknown: '?',
  wait: '…',
  idle: '·',
  arrow: '→',
  link: '⇄',
};

const typed: Signs = {
  pass: 'ok',
  fail: 'FAIL',
  unknown: '?',
  wait: 'wait',
  idle: '-',
  arrow: '->',
  link: '<->',
};

/** Whether the locale, by the first of its variables that is set (setlocale(3)), is one without UTF-8. */
const isPlainLocale = ({ LC_ALL, LC_CTYPE, LANG }: Io['env']): boolean => {
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '');
  return locale !== undefined && !/utf-?8/i.test(locale);
};

/** Drawn ones on a terminal that shows them, else words: what reads a pipe may be a mail or an old pager. */
export const signsFor = ({ env }: Io, { isTTY }: Output): Signs =>
  isTTY === true && env['TERM'] !== 'dumb' && !isPlainLocale(env) ? drawn : typed;

/** The mark of a route. */
export const marks = {
  routed: 'pass',
  pending: 'wait',
  waiting: 'wait',
  yielded: 'fail',
  foreign: 'fail',
  refused: 'idle',
} as const satisfies Readonly<Record<RouteState, keyof Signs>>;
