import { isIP } from "node:net";
import * as z from "zod";
import { orNull, whole } from "../settings/scalars.ts";

/** The names that Express has for private ranges: https://expressjs.com/en/guide/behind-proxies.html */
const RANGES = ["loopback", "linklocal", "uniquelocal"];
const EXPECTED =
  "the addresses of your proxies, such as [127.0.0.1, 10.0.0.0/8, uniquelocal], or how many of them are in front (1)";

const proxy = z
  .string({ error: EXPECTED })
  .refine((text) => RANGES.includes(text) || isRange(text), { error: EXPECTED });

/** How many proxies, or which ones, may say whose request they hand on. Null: nobody may. */
export const trustProxy = orNull(
  z.union([whole(1, 16), z.array(proxy).min(1, { error: EXPECTED })], { error: EXPECTED }),
);

/** An address, or a range such as `10.0.0.0/8`. One of everybody would let everybody say who they are. */
function isRange(text: string): boolean {
  const [address = "", bits, ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  if (bits === undefined) return true;
  return /^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128);
}
