import assert from "node:assert/strict";
import { hostTypes } from "../../../src/hosts/index.ts";
import { noticeTypes } from "../../../src/notices/index.ts";
import { registryTypes } from "../../../src/registries/index.ts";

describe("The types of hosts, registries and notices", () => {
  for (const { type, schema, secrets } of [...hostTypes.all, ...registryTypes.all, ...noticeTypes.all]) {
    it(`${type}: declare as secrets exactly the settings that are secret texts`, () => {
      const issuesOf = (value: object) => schema.safeParse({ type, ...value }).error?.issues ?? [];
      const keysIn = (value: object, path: string) =>
        issuesOf(value)
          .filter((issue) => issue.path.join(".") === path)
          .flatMap(({ message }) => /known are (.*)/.exec(message)?.[1]?.split(", ") ?? []);
      const zeros = (keys: string[], path: string): Record<string, unknown> =>
        Object.fromEntries(
          keys.map((key) => {
            const inner = path === "" ? keysIn({ [key]: { "?": 0 } }, key) : [];
            return [key, inner.length === 0 ? 0 : zeros(inner, key)];
          }),
        );
      const keys = keysIn({ "?": 0 }, "");
      assert.ok(keys.includes("type"), `${keys}`);
      // A number is no text: what the message of each asks for tells what each is.
      const issues = issuesOf({ ...zeros(keys, ""), type });
      const asked = issues.filter(({ message }) => message.startsWith("a secret text")).map(({ path }) => path.at(-1));
      assert.deepEqual(asked.toSorted(), secrets.toSorted());
    });
  }
});
