import assert from "node:assert/strict";
import { readLinks } from "../../../src/http/links.ts";

describe("A Link header", () => {
  const cases: [what: string, header: string, links: { target: string; relations: string[] }[]][] = [
    ["is read", '<https://h/x?page=2>; rel="next"', [{ target: "https://h/x?page=2", relations: ["next"] }]],
    [
      "may hold several links, and commas and semicolons within a target",
      '<https://h/a;b,c>; rel="prev", </x?page=3>; rel=next',
      [
        { target: "https://h/a;b,c", relations: ["prev"] },
        { target: "/x?page=3", relations: ["next"] },
      ],
    ],
    [
      "may give other parameters before, and several relations in any case",
      '<a>; title="one, \\"two\\"; rel=last"; REL="First NEXT"',
      [{ target: "a", relations: ["first", "next"] }],
    ],
    ["counts only the first rel of a link", '<a>; rel="prev"; rel="next"', [{ target: "a", relations: ["prev"] }]],
    [
      "may have a link without a relation",
      "<a>, <b>;rel=next",
      [
        { target: "a", relations: [] },
        { target: "b", relations: ["next"] },
      ],
    ],
    ["ends at what is no link", '<a>; rel="next", b; rel="next"', [{ target: "a", relations: ["next"] }]],
    ["may be empty", "", []],
    ["may be cut in a target", '<https://h/x; rel="next"', []],
  ];
  for (const [what, header, links] of cases)
    it(what, () => {
      assert.deepEqual(readLinks(header), links);
    });

  it("is read in linear time", () => {
    assert.equal(readLinks(`<a>${'; x="'.repeat(100_000)}`).length, 1);
    assert.equal(readLinks(`<a>;rel="${"\\".repeat(100_001)}`).length, 1);
  });
});
