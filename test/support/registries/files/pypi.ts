import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { type FileServer, TOKEN } from "./server.ts";

/** One upload as it came: fields in their order, repeated ones repeated. */
export interface Upload {
  fields: [string, string][];
  file: string;
  bytes: Buffer;
}

export interface PypiStandIn extends FileServer {
  index: string;
  /** Those that were taken. */
  uploads: Upload[];
  /** How many more looks at the index do not show the last upload yet. */
  lag: number;
}

/**
 * A stand-in for Warehouse (PyPI): its upload form and its rules, and the simple API in both forms. twine and pip work with
 * it, and tests show that.
 */
export async function startPypi(): Promise<PypiStandIn> {
  const server = createServer((request, response) => {
    answer(request, response, standIn).catch((error) => response.writeHead(500).end(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const standIn: PypiStandIn = {
    url: `${url}/legacy/`,
    index: `${url}/simple/`,
    directory: "",
    uploads: [],
    lag: 0,
    holds: async () => standIn.uploads.map(({ file }) => file).sort(),
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return standIn;
}

async function answer(request: IncomingMessage, response: ServerResponse, standIn: PypiStandIn): Promise<void> {
  const { pathname } = new URL(request.url ?? "", "http://127.0.0.1");
  if (request.method === "POST" && pathname === "/legacy/") {
    const wrong = takeUpload(request, await buffer(request), standIn.uploads);
    // The reason phrase is where twine looks for the reason.
    response.writeHead(wrong?.status ?? 200, wrong?.reason ?? "OK").end();
    return;
  }
  const [, room, name = ""] = pathname.split("/");
  if (room === "simple" && pathname.endsWith("/")) return showProject(request, response, name, standIn);
  const found = room === "files" && standIn.uploads.find(({ file }) => file === decodeURIComponent(name));
  if (found) response.writeHead(200, { "Content-Length": found.bytes.length }).end(found.bytes);
  else response.writeHead(404).end();
}

/** After warehouse/forklift/legacy.py: the order of the rules is the order there. */
function takeUpload(request: IncomingMessage, body: Buffer, uploads: Upload[]) {
  const expected = `Basic ${Buffer.from(`__token__:${TOKEN}`).toString("base64")}`;
  if (request.headers.authorization !== expected)
    return { status: 403, reason: "Invalid or non-existent authentication information." };
  const upload = readForm(request.headers["content-type"] ?? "", body);
  const value = (name: string) => upload.fields.find(([field]) => field === name)?.[1] ?? "";
  const bad = (reason: string) => ({ status: 400, reason });
  if (value(":action") !== "file_upload" || value("protocol_version") !== "1") return bad("Unknown protocol version.");
  for (const name of ["metadata_version", "name", "version", "filetype"]) {
    if (value(name) === "") return bad(`Invalid value for ${name}. Error: This field is required.`);
  }
  const type = value("filetype");
  if (type !== "bdist_wheel" && type !== "sdist")
    return bad("Invalid value for filetype. Error: Use a known file type.");
  if (type === "bdist_wheel" && value("pyversion") === "")
    return bad("Python version is required for binary distribution uploads.");
  if (type === "sdist" && !["", "source"].includes(value("pyversion")))
    return bad("Use 'source' as Python version for an sdist.");
  if (upload.file === "") return bad("Upload payload does not have a file.");
  const project = normalised(value("name"));
  if (normalised(upload.file.split("-")[0] ?? "") !== project) return bad("Start filename for the project name.");
  if (!upload.file.startsWith(`${upload.file.split("-")[0]}-${value("version")}`))
    return bad("Version in filename should be the metadata's.");
  if (type === "bdist_wheel" ? !upload.file.endsWith(".whl") : !/\.(?:tar\.gz|zip)$/.test(upload.file))
    return bad("Invalid file extension.");
  const digests = { md5_digest: "md5", sha256_digest: "sha256" } as const;
  if (value("md5_digest") === "" && value("sha256_digest") === "" && value("blake2_256_digest") === "")
    return bad("Include at least one message digest.");
  for (const [field, algorithm] of Object.entries(digests)) {
    const digest = createHash(algorithm).update(upload.bytes).digest("hex");
    if (value(field) !== "" && value(field) !== digest)
      return bad("The digest supplied does not match a digest calculated from the uploaded file.");
  }
  const known = uploads.find(({ file }) => file === upload.file);
  if (known?.bytes.equals(upload.bytes)) return null;
  if (known) return bad("File already exists. See /help/#file-name-reuse for more information.");
  uploads.push(upload);
  return null;
}

function readForm(type: string, body: Buffer): Upload {
  const upload: Upload = { fields: [], file: "", bytes: Buffer.alloc(0) };
  const [, boundary = ""] = /boundary="?([^";]+)/.exec(type) ?? [];
  const mark = Buffer.from(`--${boundary}`);
  for (let at = body.indexOf(mark); at !== -1; ) {
    const next = body.indexOf(mark, at + mark.length);
    if (next === -1) break;
    const part = body.subarray(at + mark.length + 2, next - 2);
    const split = part.indexOf("\r\n\r\n");
    const [, name = ""] = /\bname="([^"]*)"/.exec(part.toString("utf8", 0, split)) ?? [];
    const [, file] = /filename="([^"]*)"/.exec(part.toString("utf8", 0, split)) ?? [];
    if (file === undefined) upload.fields.push([name, part.toString("utf8", split + 4)]);
    else Object.assign(upload, { file, bytes: Buffer.from(part.subarray(split + 4)) });
    at = next;
  }
  return upload;
}

function showProject(request: IncomingMessage, response: ServerResponse, project: string, standIn: PypiStandIn): void {
  const hidden = standIn.lag > 0 ? standIn.uploads.at(-1) : undefined;
  standIn.lag = Math.max(0, standIn.lag - 1);
  const files = standIn.uploads.filter((one) => one !== hidden && normalised(one.file.split("-")[0] ?? "") === project);
  if (files.length === 0) {
    response.writeHead(404).end();
    return;
  }
  const shown = files.map(({ file, bytes }) => ({
    filename: file,
    url: `../../files/${file}`,
    hashes: { sha256: createHash("sha256").update(bytes).digest("hex") },
  }));
  if (request.headers.accept?.includes("simple.v1+json")) {
    const page = { meta: { "api-version": "1.0" }, name: project, files: shown };
    response.writeHead(200, { "Content-Type": "application/vnd.pypi.simple.v1+json" }).end(JSON.stringify(page));
    return;
  }
  const links = shown.map(
    ({ filename, url, hashes }) => `<a href="${url}#sha256=${hashes.sha256}">${filename}</a><br>`,
  );
  response
    .writeHead(200, { "Content-Type": "text/html" })
    .end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
}

function normalised(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}
