// The floor: node:http and one HMAC, in plain JavaScript. It keeps nothing.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { PORT, WEBHOOK_SECRET } = process.env;

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    const expected = Buffer.from(`sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`);
    const given = Buffer.from(request.headers["x-hub-signature-256"] ?? "");
    const isRight = given.length === expected.length && timingSafeEqual(given, expected);
    response.writeHead(isRight ? 202 : 401, { "content-type": "application/json" }).end("{}");
  });
}).listen(Number(PORT), "127.0.0.1");
