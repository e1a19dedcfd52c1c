import * as z from "zod";

/** One file that a project's page of an index lists. */
export interface Listed {
  name: string;
  url: URL;
  /** Hex; null: the index tells none. */
  sha256: string | null;
}

/** Both forms: https://packaging.python.org/en/latest/specifications/simple-repository-api/ */
export const INDEX_TYPES =
  "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

const page = z.object({
  files: z.array(z.object({ filename: z.string(), url: z.string(), hashes: z.record(z.string(), z.string()) })),
});

/** @param at where the page came from: its links may be relative. Null: it is no such page */
export function readIndexPage(text: string, at: URL): Listed[] | null {
  if (text.trimStart().startsWith("{")) return readJson(text, at);
  if (!/<(?:!doctype|html|a|body)\b/i.test(text)) return null;
  return [...text.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)].flatMap((match) =>
    listed((match[1] ?? match[2] ?? "").replaceAll("&amp;", "&"), at),
  );
}

function readJson(text: string, at: URL): Listed[] | null {
  try {
    return page
      .parse(JSON.parse(text))
      .files.flatMap(({ filename, url, hashes }) =>
        listed(url, at).map((one) => ({ ...one, name: filename, sha256: hashes.sha256 ?? one.sha256 })),
      );
  } catch {
    return null;
  }
}

function listed(href: string, at: URL): Listed[] {
  if (!URL.canParse(href, at.href)) return [];
  const url = new URL(href, at);
  const [, sha256 = null] = /^#sha256=([0-9a-f]{64})/.exec(url.hash) ?? [];
  url.hash = "";
  return [{ name: decoded(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)), url, sha256 }];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
