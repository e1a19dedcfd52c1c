import assert from "node:assert/strict";
import { documents, textOf } from "./pages.ts";

const MAX_LINE = 120;
const MAX_PAGE_LINES = 200;
const MAX_PARAGRAPH_LINES = 6;

/** It grows with each release. */
const ENDLESS = "CHANGELOG.md";

describe("The form of documents", () => {
  it("is checked: a paragraph and an item of a list end where the next begins", () => {
    assert.deepEqual(paragraphsOf("a\nb\n\n- c\n  d\n- e\n| f |\n```\ng\n\nh\n```\n    i\nj\n# k\n1. l"), [
      ["a", "b"],
      ["- c", "  d"],
      ["- e"],
      ["j"],
      ["1. l"],
    ]);
  });

  for (const document of documents) {
    const text = textOf(document);
    const lines = text.split("\n");

    it(`${document} has lines of at most ${MAX_LINE} characters, also in code and tables`, () => {
      const long = lines.flatMap((line, at) => (line.length > MAX_LINE ? [`${at + 1}: ${line}`] : []));
      assert.deepEqual(long, []);
    });

    if (document !== ENDLESS) {
      it(`${document} has at most ${MAX_PAGE_LINES} lines`, () => {
        assert.ok(lines.length <= MAX_PAGE_LINES + 1, `${lines.length - 1} lines`);
      });
    }

    it(`${document} has paragraphs of at most ${MAX_PARAGRAPH_LINES} lines`, () => {
      const walls = paragraphsOf(text).filter((paragraph) => paragraph.length > MAX_PARAGRAPH_LINES);
      assert.deepEqual(walls, []);
    });
  }
});

/** The lines of each paragraph and each item of a list. Code, tables and headings are none. */
function paragraphsOf(text: string): string[][] {
  const paragraphs: string[][] = [];
  let open = false;
  for (const line of text.replace(/^```[\s\S]*?^```$/gm, "").split("\n")) {
    const isProse = line.trim() !== "" && !/^(?:\||#| {4}(?![-*]))/.test(line);
    const begins = !open || /^\s*(?:[-*]|\d+\.) /.test(line);
    if (isProse && begins) paragraphs.push([line]);
    else if (isProse) paragraphs.at(-1)?.push(line);
    open = isProse;
  }
  return paragraphs;
}
