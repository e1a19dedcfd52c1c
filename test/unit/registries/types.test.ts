import assert from "node:assert/strict";
import { hostTypes } from "../../../src/hosts/index.ts";
import { noticeTypes } from "../../../src/notices/index.ts";
import { registryTypes } from "../../../src/registries/index.ts";

describe("The types of hosts, registries and notices", () => {
  for (const { type, schema, secrets } of [...hostTypes.all, ...registryTypes.all, ...noticeTypes.all]) {
    it(`${type}: declare as secrets exactly the settings that are secret texts`, () => {
      const unknown = schema.safeParse({ type, "?": 0 }).error?.issues.map(({ message }) => message) ?? [];
      const keys = /known are (.*)/.exec(unknown.join("\n"))?.[1]?.split(", ") ?? [];
      assert.ok(keys.includes("type"), unknown.join("\n"));
      // A number is no text: what the message of each asks for tells what each is.
      const numbers = { ...Object.fromEntries(keys.map((key) => [key, 0])), type };
      const issues = schema.safeParse(numbers).error?.issues ?? [];
      const asked = issues.filter(({ message }) => message.startsWith("a secret text")).map(({ path }) => path[0]);
      assert.deepEqual(asked.toSorted(), secrets.toSorted());
    });
  }
});
