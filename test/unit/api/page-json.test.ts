import assert from "node:assert/strict";
import { pageJson } from "../../../src/api/page-json.ts";

describe("a page of a list", () => {
  const rows = Array.from({ length: 10 }, (_, index) => index);
  const read = async (from: number, size: number) => {
    const page = { items: rows.slice(from), next: null };
    const text = await pageJson(page, async (row) => ({ row, text: "x".repeat(size) }), String);
    return JSON.parse(text) as { items: { row: number }[]; next: string | null };
  };

  it("has all items when they are small", async () => {
    const { items, next } = await read(0, 10);
    assert.deepEqual([items.map(({ row }) => row), next], [rows, null]);
  });

  it("ends early when items are large, and the next page continues: each item comes once", async () => {
    const seen: number[] = [];
    for (let from = 0; ; ) {
      const { items, next } = await read(from, 200_000);
      assert.ok(items.length <= 3, `${items.length}`);
      seen.push(...items.map(({ row }) => row));
      if (next === null) break;
      from = Number(next) + 1;
    }
    assert.deepEqual(seen, rows);
  });

  it("has at least one item, however large", async () => {
    assert.equal((await read(0, 3_000_000)).items.length, 1);
  });
});
