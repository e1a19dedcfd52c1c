import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { boundConnections } from "../../../src/receiver/connections.ts";
import { until } from "../../support/process.ts";

describe("A server held to three connections", () => {
  let server: Server;
  let asked: { path: string; response: ServerResponse }[];
  let sockets: Client[];

  interface Client {
    socket: Socket;
    heard: string;
  }

  beforeEach(async () => {
    asked = [];
    sockets = [];
    server = createServer((request, response) => {
      request.resume();
      asked.push({ path: request.url ?? "", response });
    });
    boundConnections(server, { most: 3 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(async () => {
    for (const { socket } of sockets) socket.destroy();
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });

  it("ends the oldest silent or slow one for one more, and none that is being answered", async () => {
    const followed = await ask("/followed");
    const silent = await say("");
    const slow = await say("POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx");
    await until("the slow one has begun", () => asked.some(({ path }) => path === "/slow"));
    await ask("/first");
    await until("the silent one is ended", () => silent.socket.closed);
    assert.equal(slow.socket.closed, false);
    await ask("/second");
    await until("the slow one is ended", () => slow.socket.closed);
    assert.equal(followed.socket.closed, false);
    answer("/followed");
    await until("it is answered", () => followed.heard.includes("200 OK"));
  });

  it("turns a new one away only where all are being answered, and takes one once an answer is out", async () => {
    const [first] = [await ask("/1"), await ask("/2"), await ask("/3")];
    const fourth = await say("");
    await until("the fourth is turned away", () => fourth.socket.closed);
    answer("/1");
    await until("the first is answered", () => first.heard.includes("200 OK"));
    await ask("/5");
    await until("the first, idle now, made room", () => first.socket.closed);
  });

  async function say(text: string): Promise<Client> {
    const { port } = server.address() as AddressInfo;
    const client: Client = { socket: connect(port, "127.0.0.1"), heard: "" };
    sockets.push(client);
    client.socket.on("error", () => {});
    client.socket.on("data", (data) => {
      client.heard += data;
    });
    const taken = once(server, "connection");
    client.socket.write(text);
    await taken;
    return client;
  }

  async function ask(path: string): Promise<Client> {
    const client = await say(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await until(`${path} is asked`, () => asked.some((each) => each.path === path));
    return client;
  }

  function answer(path: string): void {
    asked.find((each) => each.path === path)?.response.end("done");
  }
});
