/** Whether a token, if there is one, can be the value of a header: otherwise every request would fail. */
export function isUsableToken(token: string | null): boolean {
  return token === null || /^[\x21-\x7e]+$/.test(token);
}
