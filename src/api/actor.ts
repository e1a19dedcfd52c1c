import type { Request } from "express";
import { ADMIN_NAME } from "../delivery/roles.ts";
import type { Actor } from "../ledger/audit.ts";
import type { Auth } from "./auth.ts";

/** Who asks for a change, for the audit. A route for changes lets nobody else in. */
export function actorOf(auth: Pick<Auth, "personOf">, request: Request): Actor {
  const person = auth.personOf(request);
  if (person === null) throw new Error("a route for changes let somebody in who is unknown");
  return { person: person.name, via: person.via };
}

/** How a reason names the person; undefined: as "a person", since all administrators share one token. */
export function nameInReason({ person }: Actor): string | undefined {
  return person === ADMIN_NAME ? undefined : person;
}
