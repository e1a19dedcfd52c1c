/** The fewest digits that name a commit, as in git. */
const MIN_DIGITS = 7;

/** All digits of a commit id: 40 for SHA-1, 64 for SHA-256. */
export function isFullSha(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** A commit id, or its first digits: at least 7. */
export function isShaPrefix(text: string): boolean {
  return text.length >= MIN_DIGITS && /^[0-9a-f]{1,64}$/.test(text);
}
