import type { DeliveryView } from "../api/delivery-view.ts";
import { parseCommit, parseDeliveryId } from "./arguments.ts";
import type { ClientOptions } from "./client.ts";
import { EXIT, Failure } from "./exit.ts";
import { listAll } from "./lists.ts";

/**
 * The id of the delivery that an argument names: the id itself, or `<repo>@<sha>`, because a commit has one delivery.
 * @throws Failure if the argument is malformed, or if the commit has no delivery
 */
export async function findDeliveryId(options: ClientOptions, text: string): Promise<string> {
  if (!text.includes("@")) return parseDeliveryId(text);
  const { repo, sha } = parseCommit(text);
  const { items } = await listAll<DeliveryView>(options, "/api/v1/deliveries", { repo, sha }, 1);
  const [delivery] = items;
  if (delivery !== undefined) return delivery.id;
  throw new Failure(EXIT.notFound, `${text} has no delivery. deliverd why ${text} tells the reason.`);
}
