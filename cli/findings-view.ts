/** What doctor prints. */
import { plain } from '../daemon/lib/text.js';
import type { Answer } from './answer.js';
import type { Io } from './io.js';
import { signsFor } from './signs.js';
import { painter, plainLines, printLine, widthOf } from './terminal.js';
import { wrapped } from './wrapping.js';

export interface Question {
  readonly id: string;
  readonly question: string;
}

export interface Finding extends Answer, Question {}

const colours = { pass: 'green', fail: 'red', unknown: 'yellow', idle: 'dim' } as const;

/** Whether it is a sentence, without a command to paste: those begin in lower case, or stand after a colon. */
const isProse = (step: string): boolean => /^[^a-z/]/.test(step) && !/: [a-z/]/.test(step);

/** Prints findings and their count; `idle` are the ids of those that pass although there is nothing. */
export function printFindings(io: Io, findings: readonly Finding[], idle: ReadonlySet<string>): void {
  const paint = painter(io, io.stdout);
  const signs = signsFor(io, io.stdout);
  const width = widthOf(io.stdout);
  const margin = 8;
  for (const { id, question, status, detail, fix } of findings) {
    const sign = status === 'pass' && idle.has(id) ? 'idle' : status;
    printLine(io.stdout, `${paint(colours[sign], signs[sign])} ${plain(id, 40)} ${plain(question)}`);
    for (const line of plainLines(detail).split('\n'))
      for (const part of wrapped(line, width, margin)) printLine(io.stdout, part);
    for (const step of fix) {
      const text = plain(step, 1000);
      // A command is pasted, so it is never broken.
      const [first = '', ...rest] = isProse(text)
        ? wrapped(text, width, margin + signs.arrow.length + 1)
        : [text];
      printLine(io.stdout, `${' '.repeat(margin)}${signs.arrow} ${first.trimStart()}`);
      for (const line of rest) printLine(io.stdout, line);
    }
  }
  const count = (verdict: Finding['status']): number =>
    findings.filter(({ status }) => status === verdict).length;
  const unknown = count('unknown') === 0 ? '' : `, ${count('unknown')} not known`;
  printLine(io.stdout, `\n${count('pass')} as it should be, ${count('fail')} wrong${unknown}`);
}
