import assert from "node:assert/strict";
import { join } from "node:path";
import { deliverd, testCheckout } from "./support.ts";

describe("deliverd build without an engine", () => {
  it("says where it asked and what to do, and not that it tries again", async () => {
    const checkout = await testCheckout();
    try {
      await checkout.commit({ Dockerfile: "FROM scratch\n" });
      const socket = join(checkout.path, "none.sock");
      const { code, stderr } = await deliverd(["build"], checkout.path, { DOCKER_HOST: `unix://${socket}` });
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^the Docker Engine does not answer at unix:\/\/\S+none\.sock: .*DOCKER_HOST or docker\.socket/m,
      );
      assert.doesNotMatch(stderr, /tries again|trying again/);
    } finally {
      await checkout.remove();
    }
  });
});
