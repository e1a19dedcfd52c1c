import { createHash } from "node:crypto";
import * as z from "zod";
import { Refused } from "../../../delivery/errors.ts";
import type { AppOrder, AppSetup, MadeApp } from "../../app-setup.ts";
import { apiOver, Declined, openWire } from "../api.ts";
import { tokenLogin } from "../login.ts";
import { readAnswer } from "../payload.ts";
import { APP_EVENTS } from "./app-events.ts";
import { APP_PERMISSIONS, OPTIONAL_PERMISSIONS } from "./check-login.ts";

/** GitHub takes no longer name of an App. */
const MAX_NAME_LENGTH = 34;

const made = z.object({
  id: z.number().int().positive(),
  name: z.string(),
  html_url: z.string(),
  pem: z.string().min(1),
  webhook_secret: z.string().min(1),
});

/** https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest */
export function githubAppSetup(
  options: { key: string; apiUrl: string; cloneUrl: string } & Pick<AppSetup, "current">,
): AppSetup {
  const { key, apiUrl, cloneUrl } = options;
  return {
    origin: new URL(cloneUrl).origin,
    current: options.current,
    form(order) {
      const owner = order.organisation === null ? "" : `/organizations/${encodeURIComponent(order.organisation)}`;
      const action = `${cloneUrl}${owner}/settings/apps/new?${new URLSearchParams({ state: order.state })}`;
      return { action, fields: { manifest: JSON.stringify(manifestOf(order)) } };
    },
    async exchange(code): Promise<MadeApp> {
      const api = apiOver(openWire({ key, apiUrl }), tokenLogin(null));
      const answer = await api.sendOnce("POST /app-manifests/{code}/conversions", { code }).catch((error: unknown) => {
        if (!(error instanceof Declined)) throw error;
        throw new Refused(
          "github-setup-refused",
          `GitHub does not take the code that it gave for the new App (${error.status}, ${error.message}): it is good for ` +
            "one hour, and once. Begin again.",
        );
      });
      const [app] = readAnswer("a new App", made, [answer]);
      if (app === undefined) throw new Error("readAnswer gives an item for each");
      return {
        ...{ id: app.id, name: app.name, privateKey: app.pem, webhookSecret: app.webhook_secret },
        installUrl: `${app.html_url}/installations/new`,
      };
    },
  };
}

function manifestOf({ organisation, publicUrl, webhookUrl, returnUrl }: AppOrder) {
  // Names are unique on all of GitHub. The person may change it there.
  const owner = organisation ?? createHash("sha256").update(publicUrl).digest("hex").slice(0, 8);
  return {
    name: `deliverd-${owner}`.slice(0, MAX_NAME_LENGTH),
    url: publicUrl,
    description: "Delivers every commit whose CI is green, as a verified release.",
    hook_attributes: { url: webhookUrl, active: true },
    redirect_url: returnUrl,
    public: false,
    default_permissions: { ...APP_PERMISSIONS, ...OPTIONAL_PERMISSIONS },
    default_events: APP_EVENTS,
  };
}
