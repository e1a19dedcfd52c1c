import { timingSafeEqual } from "node:crypto";

/** Compares signatures in constant time. Their length is no secret. */
export function isSame(one: string, other: string): boolean {
  const [given, expected] = [Buffer.from(one), Buffer.from(other)];
  return given.length === expected.length && timingSafeEqual(given, expected);
}
