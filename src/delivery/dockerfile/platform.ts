import { DockerfileError } from "./text.ts";

const PART = /^[A-Za-z0-9_.-]+$/;

/** Other names of architectures. Some include a variant. */
const ARCHITECTURES: Record<string, [architecture: string, variant: string]> = {
  i386: ["386", ""],
  x86_64: ["amd64", ""],
  "x86-64": ["amd64", ""],
  aarch64: ["arm64", ""],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/**
 * The usual form of a platform in `--platform=`: `linux/x86_64` becomes `linux/amd64`. Null: it depends on the engine.
 * @throws DockerfileError
 */
export function parsePlatform(text: string): string | null {
  const [system = "", architecture, variant = "", ...more] = text.split("/");
  // As in `windows(10.0.17763)`.
  const isSystem = /^[A-Za-z0-9_-]+(?:\([A-Za-z0-9_.%+-]*\))?$/.test(system);
  if (
    !isSystem ||
    more.length > 0 ||
    !text
      .split("/")
      .slice(1)
      .every((part) => PART.test(part))
  )
    throw new DockerfileError(`${JSON.stringify(text.slice(0, 100))} is not a platform`);
  // If only the system or only the architecture is given, the engine adds its own.
  if (system.includes("(") || architecture === undefined) return null;
  const [name, ownVariant] = ARCHITECTURES[architecture.toLowerCase()] ?? [architecture.toLowerCase(), ""];
  const os = system.toLowerCase() === "macos" ? "darwin" : system.toLowerCase();
  const shown = variant.toLowerCase() || ownVariant;
  const isUsual = (name === "arm64" && shown === "v8") || (name === "arm" && shown === "v7") || shown === "";
  return [os, name, ...(isUsual ? [] : [shown])].join("/");
}

/**
 * The variables that Docker predefines for FROM and for the lines above the first FROM. Null: only the engine knows the
 * value, such as a variant that is not given.
 */
export function platformVariables(side: "BUILD" | "TARGET", platform: string | null): [string, string | null][] {
  const [os = "", architecture = "", variant] = platform?.split("/") ?? [];
  const hasVariants = variant === undefined && architecture.startsWith("arm");
  const known = <T>(value: T) => (platform === null ? null : value);
  return [
    [`${side}PLATFORM`, known(hasVariants && architecture === "arm" ? null : platform)],
    [`${side}OS`, known(os)],
    [`${side}OSVERSION`, known(os === "windows" ? null : "")],
    [`${side}ARCH`, known(architecture)],
    [`${side}VARIANT`, known(hasVariants ? null : (variant ?? ""))],
  ];
}
