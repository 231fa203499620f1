/** Control, format (bidi), private and line-separating characters, and halves of surrogate pairs. */
export const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;

/**
 * Other people's words made safe for a terminal, a log line or an AppleScript argument: control, format (bidi) and
 * other invisible characters become one blank, and `limit` characters at most are kept.
 */
export function plain(text: string, limit = 300): string {
  const clean = text.replace(unprintable, ' ').trim();
  // Not in the middle of a surrogate pair.
  return clean.length > limit ? `${clean.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…` : clean;
}

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
