/** Parameters with which the drivers of Redis and PostgreSQL take a password too. */
const PASSWORD_PARAMETER = /pass(?:word|wd|phrase)?$/i;

/** The passwords in the URL of a service, as they are written and decoded. */
export function passwordsOf(text: string | null): string[] {
  if (text === null || !URL.canParse(text)) return [];
  const { password, searchParams } = new URL(text);
  const given = [...searchParams].flatMap(([name, value]) => (PASSWORD_PARAMETER.test(name) ? [value] : []));
  return [password, decoded(password), ...given];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
