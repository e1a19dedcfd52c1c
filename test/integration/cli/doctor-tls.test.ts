import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { createPublicUrlProbe } from "../../../src/cli/doctor/public-url.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { tempDir } from "../../support/processes/process.ts";

describe("The doctor's check of publicUrl by https", () => {
  it("fails if the certificate is not trusted, also while deliverd does not run here", async () => {
    const dir = await tempDir();
    const [keyFile, certFile] = [join(dir.path, "key.pem"), join(dir.path, "cert.pem")];
    const form = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    await promisify(execFile)("openssl", [...form, ...subject, "-keyout", keyFile, "-out", certFile]);
    const [key, cert] = [await readFile(keyFile, "utf8"), await readFile(certFile, "utf8")];
    const server = createServer({ key, cert }, (_request, response) => void response.end('{"status":"ok"}'));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const path = join(dir.path, "deliverd.yml");
      const publicUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const hosts = "hosts: { github: { type: github, webhookSecret: s3cret } }";
      await writeFile(path, `publicUrl: ${publicUrl}\nport: 1\n${hosts}\nrepos: [acme/*]\n`);
      const config = loadServerConfig({ path, env: {} });
      const { leadsHere, results } = await createPublicUrlProbe(config, new Map())();
      assert.deepEqual([leadsHere, results[0]?.state], [false, "fail"]);
      assert.match(results[0]?.text ?? "", /has no valid TLS certificate: .*DEPTH_ZERO_SELF_SIGNED_CERT/);
    } finally {
      server.closeAllConnections();
      server.close();
      await dir.remove();
    }
  });
});
