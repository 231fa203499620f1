/** Nothing that Docker Engine says is nested deeper than a dozen levels. */
const deepest = 64;

/** Whether brackets outside of strings are open to more than `deepest` levels at once. */
function isDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character === '\\') at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === '[' || character === '{') {
      depth += 1;
      if (depth > deepest) return true;
    } else if (character === ']' || character === '}') depth -= 1;
  }
  return false;
}

/** JSON.parse, which takes seconds for millions of brackets, of other people's text; throws SyntaxError. */
export function parseUntrusted(text: string): unknown {
  if (isDeep(text)) throw new SyntaxError(`more than ${deepest} levels deep`);
  return JSON.parse(text);
}
