/** One spelling of a Python project's many: https://packaging.python.org/en/latest/specifications/name-normalization/ */
export function normalPythonName(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}
