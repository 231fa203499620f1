/** What commander says of a command line that is wrong, in the words of this command. Pure. */

/** As much as a person reads of what was typed, or pasted. */
const longest = 400;
const end = 150;

/** Its message, without its own prefix, and cut in the middle: what is quoted may be long, and the reason comes last. */
export function usageError(message: string): string {
  const text = message.replace(/^error: /, '').replace(/^command-argument value /, 'value ');
  return text.length <= longest
    ? text
    : `${text.slice(0, longest - end).replace(/[\ud800-\udbff]$/, '')}…${text.slice(-end).replace(/^[\udc00-\udfff]/, '')}`;
}
