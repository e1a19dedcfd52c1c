import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { loadServerConfig } from "../../../src/config/server.ts";
import { tempDir } from "../../support/processes/process.ts";
import { blocksOf, codeIn, documents, root, rowsOf, textOf } from "./pages.ts";

/** What a part of a file leaves out, and every file needs. */
const NEEDED = {
  hosts: 'hosts: { github: { type: github, webhookSecret: "0123456789abcdef" } }\n',
  repos: "repos: [acme/*]\n",
};

const COMPOSE_FILES = ["docker-compose.yml", "deploy/compose/tls.yml"];

type Environment = Record<string, string>;

describe("Each sample of a server's file", () => {
  const image = imageEnvironment();
  let dir: Awaited<ReturnType<typeof tempDir>>;
  before(async () => {
    dir = await tempDir();
  });
  after(() => dir.remove());

  it("is tried in the container image, whose environment says where a process runs", () => {
    const place = ["DELIVERD_DATA_DIR", "DELIVERD_INTAKE_ADVERTISE", "DELIVERD_INTAKE_LISTEN", "PORT"];
    assert.deepEqual(Object.keys(image).sort(), [...place.slice(0, 3), "NODE_ENV", "PORT"]);
  });

  for (const { document, index, text } of samples()) {
    it(`of ${document} (${index + 1}) works in the container image as it is`, async () => {
      const path = join(dir.path, "deliverd.yml");
      await writeFile(path, text);
      const config = loadServerConfig({ path, env: { ...secretsIn(text), ...image } });
      assert.deepEqual(
        [config.port, config.dataDir, config.docker.intake],
        [8080, "/data", { listen: "0.0.0.0:5055", advertise: "127.0.0.1:5055" }],
      );
    });
  }
});

describe("The Compose file", () => {
  const services = COMPOSE_FILES.flatMap((file) => Object.entries(composeFile(file).services));

  it("is a whole configuration with the variables that it needs, and tells people the address of its registry", () => {
    const config = configOf({});
    assert.equal(config.publicUrl, "http://localhost:8080");
    const bundled = config.registries.default;
    assert.deepEqual([bundled?.url, bundled?.publicUrl], ["http://registry:5000", "http://127.0.0.1:5000"]);
    assert.equal(config.docker.intake?.advertise, "127.0.0.1:5055");
  });

  it("tells people the address of one's own registry, unless that has another one for them", () => {
    const own = { DELIVERD_REGISTRY: "https://r.example.com" };
    assert.equal(configOf(own).registries.default?.publicUrl, "https://r.example.com");
    const both = { ...own, DELIVERD_REGISTRY_PUBLIC_URL: "https://pull.example.com" };
    assert.equal(configOf(both).registries.default?.publicUrl, "https://pull.example.com");
  });

  it("passes on every variable of the server, also as a file where it is a secret", () => {
    const passed = Object.keys(composeFile("docker-compose.yml").services.deliverd?.environment ?? {});
    const reference = textOf("docs/reference/environment.md");
    const known = [...new Set(codeIn(reference).filter((name) => /^(?:DELIVERD|GITHUB)_[A-Z_]+$/.test(name)))];
    // The image says these, and the socket is a mount.
    const ofTheImage = ["DELIVERD_DATA_DIR", "DELIVERD_INTAKE_LISTEN"];
    assert.ok(known.length > 12, `${known.length} variables`);
    assert.deepEqual(
      known.filter((name) => !passed.includes(name) && !ofTheImage.includes(name)),
      [],
    );
    const secrets = ["GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET", "DELIVERD_REGISTRY_PASSWORD", "DELIVERD_ADMIN_TOKEN"];
    assert.deepEqual(
      [...secrets, "DELIVERD_DATABASE_URL"].filter((name) => !passed.includes(`${name}_FILE`)),
      [],
    );
  });

  it("has every variable that it reads in the table of docs/guides/containers.md", () => {
    const told = codeIn(textOf("docs/guides/containers.md"));
    const isTold = (name: string) =>
      told.includes(name) || /^AWS_/.test(name) || (name.endsWith("_FILE") && told.includes("…_FILE"));
    const tables = rowsOf(textOf("docs/guides/containers.md")).map(([first = ""]) => first);
    assert.ok(tables.length > 15, `${tables.length} rows`);
    const read = COMPOSE_FILES.flatMap((file) => [
      ...readFileSync(join(root, file), "utf8").matchAll(/\$\{([A-Z_]+)/g),
    ]);
    const names = [...new Set(read.map(([, name = ""]) => name))];
    const internal = ["DOCKER_SOCKET", "DELIVERD_REDIS_URL", "HTTP_PORT", "HTTPS_PORT", "CADDY_MEMORY"];
    assert.deepEqual(
      names.filter((name) => !isTold(name) && !internal.includes(name)),
      [],
    );
  });

  for (const [name, service] of services) {
    it(`gives the service ${name} a read-only root, few rights, a limit of memory and logs that end`, () => {
      const { read_only, cap_drop, security_opt, pids_limit, mem_limit, logging, restart } = service;
      assert.deepEqual([read_only, cap_drop, security_opt], [true, ["ALL"], ["no-new-privileges:true"]]);
      assert.ok(pids_limit && mem_limit && logging?.options["max-size"] && restart === "unless-stopped");
    });
  }

  it("waits until a service is healthy before it starts what needs it", () => {
    for (const [name, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        assert.equal(condition, "service_healthy", `${name} needs ${other}`);
      }
    }
  });
});

interface Service {
  environment?: Record<string, string | null>;
  depends_on?: Record<string, { condition: string }>;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  pids_limit?: number;
  mem_limit?: string;
  restart?: string;
  logging?: { options: Record<string, string> };
}

function composeFile(file: string): { services: Record<string, Service> } {
  return parse(readFileSync(join(root, file), "utf8"), { merge: true });
}

/** The configuration of the service deliverd, with the variables that a person sets. */
function configOf(set: Environment) {
  const environment = composeFile("docker-compose.yml").services.deliverd?.environment ?? {};
  const person = { DELIVERD_REPOS: "acme/*", GITHUB_TOKEN: "t", GITHUB_WEBHOOK_SECRET: "s", ...set };
  const given = Object.entries(environment).map(([name, value]) => [
    name,
    value === null ? person[name as keyof typeof person] : interpolate(value, person),
  ]);
  return loadServerConfig({ env: { ...imageEnvironment(), ...Object.fromEntries(given) } });
}

/** `${A:-b}`, also where `b` holds another: https://docs.docker.com/reference/compose-file/interpolation/ */
function interpolate(text: string, env: Environment): string {
  const innermost = /\$\{([A-Z_]+)(?::-([^{}]*))?\}/;
  const replaced = text.replace(innermost, (_, name: string, otherwise = "") => env[name] || otherwise);
  return replaced === text ? text : interpolate(replaced, env);
}

/** What `ENV` says in the Dockerfile. */
function imageEnvironment(): Environment {
  const [, block = ""] = /^ENV ((?:.*\\\n)*.*)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8")) ?? [];
  return Object.fromEntries([...block.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]));
}

/** `# deliverd.yml` begins a file or some of its keys, `# deliverd.yml, under <key>` what stands under one. */
function samples(): { document: string; index: number; text: string }[] {
  return documents.flatMap((document) =>
    blocksOf(textOf(document), "yaml")
      .filter((block) => block.startsWith("# deliverd.yml"))
      .map((block, index) => {
        const [, under] = /^# deliverd\.yml, under (\w+)\n/.exec(block) ?? [];
        const file = under === undefined ? block : `${under}:\n${block.replace(/^/gm, "  ")}`;
        const missing = Object.entries(NEEDED).filter(([key]) => !new RegExp(`^${key}:`, "m").test(file));
        return { document, index, text: `${file}\n${missing.map(([, text]) => text).join("")}` };
      }),
  );
}

function secretsIn(text: string): Environment {
  const names = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = ""]) => name);
  return Object.fromEntries(names.map((name) => [name, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"]));
}
