/** An App that a host has just made for deliverd, with its secrets. */
export interface MadeApp {
  id: number;
  /** For people. */
  name: string;
  privateKey: string;
  webhookSecret: string;
  /** The page where a person installs it for repos. */
  installUrl: string;
}

/** What the host is to make. */
export interface AppOrder {
  /** Null: the App belongs to the person. */
  organisation: string | null;
  /** The address of this server's pages. */
  publicUrl: string;
  /** Where the App's webhooks go. */
  webhookUrl: string;
  /** The page of this server that the host sends the person back to, with `code` and `state`. */
  returnUrl: string;
  /** Comes back as it is. */
  state: string;
}

/** Sets deliverd up as an App of a host, by a form that the person sends to the host. */
export interface AppSetup {
  /** The origin of the host's pages. */
  origin: string;
  /** The id of the App that deliverd is there now. Null: it is none. */
  current: number | null;
  /** @returns where the form goes, and its fields */
  form(order: AppOrder): { action: string; fields: Record<string, string> };
  /** Exchanges the code, which is good once. @throws TransientError, Refused */
  exchange(code: string): Promise<MadeApp>;
}
