import { configSchema } from '../../../config/schema.js';
import { conditionTypes, type Remedy, type Severity } from './record.js';
import { type Entry, questionOf, registry } from './registry.js';
import { filled, linkOf } from './remedies.js';

const link = linkOf(null, configSchema.parse({}).tap);

const inShort: Readonly<Record<Severity, string>> = {
  fine: 'All is well.',
  idle: 'Nothing is wrong.',
  transient: 'It passes by itself.',
  degraded: 'Something does not work.',
  persistent: 'It waits for you.',
};

function step(remedy: Remedy): string {
  const { text, command } = filled(remedy, link);
  return command === undefined ? `- ${text}.` : `- ${text}: \`${command}\``;
}

const entry = ({ type, reason, severity, meaning, whatToDo = [] }: Entry): string =>
  [`#### ${type}: ${reason}`, `_${inShort[severity]}_ ${meaning}`, whatToDo.map(step).join('\n')].join(
    '\n\n',
  );

/** Of docs/troubleshooting.md what is between these two lines is made from the registry. */
export const bounds = [
  '<!-- Made from daemon/api/reasons by its reference.ts. Change the records there, not this part of the page. -->',
  '<!-- The rest of this page is written by hand. -->',
] as const;

/** The reasons of every condition, a heading each, in Markdown; its bounds are part of it. */
export function renderReasons(): string {
  const [begin, end] = bounds;
  const sections = conditionTypes.flatMap((type) => {
    const { code, question } = questionOf(type) ?? { code: '', question: '' };
    return [
      `### ${type}`,
      `${code}: ${question}`,
      ...registry.filter((each) => each.type === type).map(entry),
    ];
  });
  return [begin, ...sections, end].join('\n\n');
}
