import type { Tokenizer, TokenizerMode } from "parse5";
import * as z from "zod";

/** One file in a project's page of an index. */
export interface Listed {
  name: string;
  url: URL;
  /** Hex. Null: the index gives none. */
  sha256: string | null;
}

/** Both formats of https://packaging.python.org/en/latest/specifications/simple-repository-api/ */
export const INDEX_TYPES =
  "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

const page = z.object({
  files: z.array(
    z
      .object({
        filename: z.string(),
        url: z.string(),
        hashes: z.object({ sha256: z.string().nullish() }).nullish().catch(null),
      })
      // One bad entry does not make the others bad.
      .nullable()
      .catch(null),
  ),
});

/** Null: the text is no such page. @param at URL of the page, for relative links */
export async function readIndexPage(text: string, at: URL): Promise<Listed[] | null> {
  const plain = text.replace(/^\uFEFF/, "").trimStart();
  if (plain.startsWith("{")) return readJson(plain, at);
  return /<(?:!doctype|html|head|body|a)\b/i.test(plain) ? readHtml(plain, at) : null;
}

function readJson(text: string, at: URL): Listed[] | null {
  const read = page.safeParse(parsed(text));
  if (!read.success) return null;
  return read.data.files.flatMap((file) => {
    const { filename: name = "", url = "", hashes } = file ?? {};
    const link = linkOf(url, at);
    return file === null || link === null ? [] : [{ ...link, name, sha256: hex(hashes?.sha256) ?? link.sha256 }];
  });
}

/** Elements whose content is text: a link in it is none. https://html.spec.whatwg.org/multipage/parsing.html */
const TEXT_MODES: Record<string, keyof typeof TokenizerMode> = {
  ...{ title: "RCDATA", textarea: "RCDATA", script: "SCRIPT_DATA", plaintext: "PLAINTEXT" },
  ...{ style: "RAWTEXT", xmp: "RAWTEXT", iframe: "RAWTEXT", noembed: "RAWTEXT", noframes: "RAWTEXT" },
};

/** Reads tags and builds no tree: parse5 takes quadratic time to build one of deeply nested elements. */
async function readHtml(text: string, at: URL): Promise<Listed[]> {
  // Large, and few processes ever read such a page: it is loaded with the first one.
  const { Tokenizer, TokenizerMode } = await import("parse5");
  let base: URL | null = null;
  const hrefs: string[] = [];
  const ignore = () => {};
  const tokenizer: Tokenizer = new Tokenizer(
    {},
    {
      onStartTag({ tagName, attrs }) {
        const mode = TEXT_MODES[tagName];
        if (mode !== undefined) tokenizer.state = TokenizerMode[mode];
        const href = attrs.find(({ name }) => name === "href")?.value;
        if (href === undefined) return;
        // The first base counts, for all links of the page.
        if (tagName === "base") base ??= urlOf(href, at);
        else if (tagName === "a") hrefs.push(href);
      },
      ...{ onEndTag: ignore, onComment: ignore, onDoctype: ignore, onEof: ignore },
      ...{ onCharacter: ignore, onNullCharacter: ignore, onWhitespaceCharacter: ignore },
    },
  );
  tokenizer.write(text, true);
  return hrefs.map((href) => linkOf(href, base ?? at)).filter((link) => link !== null);
}

function linkOf(href: string, base: URL): Listed | null {
  const url = urlOf(href, base);
  if (url === null) return null;
  const sha256 = hex(new URLSearchParams(url.hash.slice(1)).get("sha256"));
  url.hash = "";
  return { name: decoded(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)), url, sha256 };
}

function urlOf(href: string, base: URL): URL | null {
  return URL.canParse(href, base.href) ? new URL(href, base) : null;
}

/** A SHA-256 in lower case. Null: the text is none. */
function hex(text: string | null | undefined): string | null {
  return text !== null && text !== undefined && /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
