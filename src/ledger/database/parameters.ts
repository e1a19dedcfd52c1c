/** A parameter value that both databases accept. */
export type Parameter = string | number | bigint | null;

const INT64 = 2n ** 63n;

/**
 * Checks every parameter before it reaches a driver: libsql aborts the whole process on a boolean, an object or bytes,
 * and cuts text at NUL; PostgreSQL refuses NUL. Both databases follow the same rules, so tests on either find a
 * mistake.
 * @throws TypeError that names the parameter and the statement, never the value
 */
export function checkParameters(parameters: readonly unknown[], sql: string): Parameter[] {
  return parameters.map((value, index) => bound(value, () => `parameter ${index + 1} of "${sql.slice(0, 200)}"`));
}

function bound(value: unknown, where: () => string): Parameter {
  switch (typeof value) {
    case "string":
      if (value.includes("\0")) throw new TypeError(`the ledger takes no text with NUL: ${where()}`);
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "number":
      if (!Number.isSafeInteger(value)) throw new TypeError(`the ledger takes whole numbers up to 2^53: ${where()}`);
      return value;
    case "bigint":
      if (value >= INT64 || value < -INT64) throw new TypeError(`the ledger takes integers of 64 bits: ${where()}`);
      return value;
    default:
      if (value === null) return null;
      throw new TypeError(`the ledger takes text, whole numbers, booleans and null, not ${kindOf(value)}: ${where()}`);
  }
}

function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return typeof value;
  return value.constructor?.name ?? "object";
}
