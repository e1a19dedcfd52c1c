import assert from "node:assert/strict";
import { fitOf, shownAddress, webhookUrl } from "../../../src/delivery/webhook-address.ts";

describe("The address of webhooks", () => {
  const OURS = "https://deliverd.example.com/webhooks/github";
  const OTHERS = ["https://deliverd.example.com/webhooks/enterprise"];

  it("is <publicUrl>/webhooks/<key>", () => {
    assert.equal(webhookUrl("https://deliverd.example.com", "github"), OURS);
    assert.equal(webhookUrl("https://example.com/deliverd/", "a.b"), "https://example.com/deliverd/webhooks/a.b");
  });

  it("is the same with a slash at its end, a usual port or other letters in the host", () => {
    for (const same of [OURS, `${OURS}/`, "https://Deliverd.Example.com:443/webhooks/github", `${OURS}?token=x`]) {
      assert.equal(fitOf(same, OURS, OTHERS), "same", same);
    }
  });

  it("is misspelt if it leads to this server, but not to where webhooks are taken", () => {
    for (const wrong of [
      "http://deliverd.example.com/webhooks/github",
      "https://deliverd.example.com",
      "https://deliverd.example.com/webhook/github",
      "https://deliverd.example.com/webhooks",
      "https://deliverd.example.com/webhooks/gihub",
      "https://deliverd.example.com/webhooks/GitHub",
    ]) {
      assert.equal(fitOf(wrong, OURS, OTHERS), "misspelt", wrong);
    }
  });

  it("is foreign if it may belong to somebody else", () => {
    for (const foreign of [
      "https://ci.example.com/webhooks/github",
      "https://deliverd.example.com:8443/webhooks/github",
      "https://deliverd.example.com/jenkins/github-webhook/",
      "https://deliverd.example.com/webhooksother",
      "https://deliverd.example.com/webhooks/enterprise",
      "http://deliverd.example.com/webhooks/enterprise/",
      "no address",
      "",
    ]) {
      assert.equal(fitOf(foreign, OURS, OTHERS), "foreign", foreign);
    }
  });

  it("leaves alone what is beside deliverd's folder on the same server", () => {
    const under = "https://example.com/deliverd/webhooks/github";
    assert.equal(fitOf("https://example.com/webhooks/github", under, []), "foreign");
    assert.equal(fitOf("https://example.com/deliverdx/webhooks/github", under, []), "foreign");
    assert.equal(fitOf("https://example.com/deliverd/webhook", under, []), "misspelt");
  });

  it("is shown without its query, which may hold a secret", () => {
    assert.equal(shownAddress(`${OURS}?token=hidden`), OURS);
    assert.equal(shownAddress("://"), "no valid URL");
  });
});
