const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const HOST_PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const REFERENCE = new RegExp(
  `^((?:${HOST}/)?${COMPONENT}(?:/${COMPONENT})*)(?::\\w[\\w.-]{0,127})?(?:@(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?$`,
);
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);

/** An image's reference as Docker takes it (distribution/reference, "familiar names"). */
export function isReference(text: string): boolean {
  if (text.length > 600 || /^[a-f0-9]{64}$/.test(text)) return false;
  const name = REFERENCE.exec(text)?.[1];
  if (name === undefined) return false;
  // A first part is a host only where it looks like one; else it is part of the name, and that has small letters alone.
  const [first = ""] = name.split("/");
  const isHost = name.includes("/") && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const path = isHost ? name.slice(first.length + 1) : name;
  return path.length <= 255 && PATH.test(path);
}
