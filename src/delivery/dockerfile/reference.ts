import { isRepository, REPOSITORY_PATTERN } from "../oci-names.ts";

const HOST_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const REFERENCE = new RegExp(
  `^((?:${HOST}/)?${REPOSITORY_PATTERN})(?::\\w[\\w.-]{0,127})?(?:@(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$`,
);

/** Whether Docker accepts a text as an image reference (distribution/reference, "familiar names"). */
export function isReference(text: string): boolean {
  if (text.length > 600 || /^[a-f0-9]{64}$/.test(text)) return false;
  const name = REFERENCE.exec(text)?.[1];
  if (name === undefined) return false;
  // The first part is a host only if it looks like one. Otherwise it is part of the name, which has lower-case letters
  // only.
  const [first = ""] = name.split("/");
  const isHost = name.includes("/") && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const path = isHost ? name.slice(first.length + 1) : name;
  return isRepository(path);
}
