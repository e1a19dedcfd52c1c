/** GitHub compares contexts without case, so ours are told the same way. */
const OWN = /^deliverd(\/|$)/i;

/** Whether a status is one of deliverd's own reports: they say nothing about CI. */
export function isOwnContext(context: string): boolean {
  return OWN.test(context);
}
