/** Names of repositories and tags by OCI distribution specification 1.1, "Pulling manifests". */

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";

/** The grammar of `<name>`, for a regular expression. It sets no length. */
export const REPOSITORY_PATTERN = `${COMPONENT}(?:/${COMPONENT})*`;
/** The grammar of `<reference>` where it is a tag. */
export const TAG_PATTERN = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}";

/** Characters. Older Docker engines take no longer name, and the specification counts the registry's host in. */
export const MAX_REPOSITORY_LENGTH = 255;
export const MAX_TAG_LENGTH = 128;

const REPOSITORY = new RegExp(`^${REPOSITORY_PATTERN}$`);
const TAG = new RegExp(`^${TAG_PATTERN}$`);

export function isRepository(text: string, maxLength = MAX_REPOSITORY_LENGTH): boolean {
  return text.length <= maxLength && REPOSITORY.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}
