// Makes a fresh checkout runnable: npm packages first, then the servers that the caller starts for real.
// Plain JavaScript without dependencies: it runs before there are any.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const oldestNode = [20, 19];

/** Of this package only promtool is unpacked: the rest is a server, a user and 90 MB that no test needs. */
const PROMETHEUS = "prometheus";

/** Debian's package, and how to see that it (or its like from elsewhere) is here. */
const servers = {
  git: () => onPath("git"),
  "redis-server": () => onPath("redis-server"),
  "docker.io": () => onPath("dockerd") && onPath("docker"),
  "docker-registry": () => onPath("docker-registry"),
  // The package `busybox` has the same file, linked dynamically: useless in an image of its own.
  "busybox-static": () => existsSync("/var/lib/dpkg/info/busybox-static.list"),
  pgbouncer: () => onPath("pgbouncer"),
  postgresql: () => readFolder("/usr/lib/postgresql").some((v) => existsSync(`/usr/lib/postgresql/${v}/bin/postgres`)),
  sqlite3: () => onPath("sqlite3"),
  skopeo: () => onPath("skopeo"),
  "apache2-utils": () => onPath("htpasswd"),
  debootstrap: () => onPath("debootstrap"),
  "docker-compose": () => onPath("docker-compose"),
  "ca-certificates": () => existsSync("/etc/ssl/certs/ca-certificates.crt"),
  openssl: () => onPath("openssl"),
  // How Maven and Python order versions, by their own code.
  "default-jre-headless": () => onPath("java"),
  "libmaven3-core-java": () => existsSync("/usr/share/java/maven3-artifact.jar"),
  "python3-packaging": () => existsSync("/usr/lib/python3/dist-packages/packaging"),
  curl: () => onPath("curl"),
  "nginx-light": () => onPath("nginx"),
  "apache2-bin": () => onPath("apache2"),
  twine: () => existsSync("/usr/bin/twine"),
  "python3-pip": () => existsSync("/usr/bin/pip3"),
  maven: () => existsSync("/usr/share/maven/lib"),
  "libmaven-dependency-plugin-java": () =>
    existsSync("/usr/share/maven-repo/org/apache/maven/plugins/maven-dependency-plugin"),
  // The plugin needs it, and does not say so.
  junit4: () => existsSync("/usr/share/maven-repo/junit/junit"),
  [PROMETHEUS]: () => onPath("promtool"),
};

/** What only a row of the bench is measured beside: no test needs it. */
const peers = {
  buildbot: () => onPath("buildbot"),
  "buildbot-worker": () => onPath("buildbot-worker"),
};

const demo = ["git", "redis-server", "docker.io", "docker-registry", "busybox-static"];
const needs = {
  test: Object.keys(servers),
  demo,
  "webhook-to-build": Object.keys(peers),
  // A server of every kind of registry, and the clients that read back from it.
  "demo-all": [
    ...demo,
    ...["openssl", "apache2-utils", "nginx-light", "skopeo", "curl", "python3-pip"],
    ...["maven", "libmaven-dependency-plugin-java", "junit4"],
  ],
};

/** @throws Error with one line for the person: what is missing and how to get it. */
export function setUp(caller = "test") {
  const packages = needs[caller];
  if (!packages) throw new Error(`nothing is known of "${caller}": ${Object.keys(needs).join(", ")}`);
  checkNode();
  if (!npmPackagesStand()) run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"]);
  const missing = packages.filter((name) => !{ ...servers, ...peers }[name]());
  if (missing.length > 0) install(missing);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  throw new Error(`Node ${process.versions.node} is too old: ${oldestNode.join(".")} or newer is needed.`);
}

/** npm notes what it installed in node_modules/.package-lock.json; what is optional may be missing there. */
function npmPackagesStand() {
  const wanted = lockedPackages("package-lock.json");
  const installed = lockedPackages("node_modules/.package-lock.json");
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const found = installed[path];
    if (!found) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

function install(missing) {
  const remedy = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0 || !onPath("apt-get")) {
    throw new Error(`Missing: ${missing.join(", ")}. On Debian, as root: ${remedy}`);
  }
  console.log(`Installing what is missing: ${missing.join(", ")}`);
  const whole = missing.filter((name) => name !== PROMETHEUS);
  withoutStartingDaemons(() => {
    run("apt-get", ["update", "-q"]);
    if (whole.length > 0) run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...whole]);
  });
  if (whole.length < missing.length) unpackPromtool();
}

function unpackPromtool() {
  const folder = mkdtempSync(join(tmpdir(), "promtool-"));
  try {
    run("apt-get", ["-o", "APT::Sandbox::User=root", "download", "-q", PROMETHEUS], folder);
    const [archive] = readdirSync(folder);
    run("sh", ["-ec", `dpkg-deb --fsys-tarfile ${archive} | tar -x --occurrence=1 ./usr/bin/promtool`], folder);
    copyFileSync(join(folder, "usr/bin/promtool"), "/usr/local/bin/promtool");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Debian starts a daemon as it installs it, unless this file forbids that. One that is there already has its owner's say. */
function withoutStartingDaemons(work) {
  const policy = "/usr/sbin/policy-rc.d";
  if (existsSync(policy)) return work();
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const remove = () => rmSync(policy, { force: true });
  process.once("exit", remove);
  try {
    work();
  } finally {
    remove();
    process.off("exit", remove);
  }
}

function run(command, args, cwd = root) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const done = spawnSync(command, args, { cwd, env, stdio: ["ignore", "inherit", "inherit"] });
  if (done.error) throw new Error(`${command} cannot be run: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} failed (${done.status ?? done.signal}).`);
}

function onPath(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, name)));
}

function readFolder(path) {
  return existsSync(path) ? readdirSync(path) : [];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setUp(process.argv[2]);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
