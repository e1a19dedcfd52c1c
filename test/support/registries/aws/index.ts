import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { CodeArtifact } from "./codeartifact.ts";
import { Ebs } from "./ebs.ts";
import { Ec2 } from "./ec2.ts";
import { Ecr } from "./ecr.ts";
import { Kms } from "./kms.ts";
import { AgainstTheModel, Service, type ServiceName, type Struct } from "./model.ts";
import { type Call, readCall } from "./read.ts";
import { readScope, type Signed, wrongSignature } from "./signature.ts";
import { Fault, writeAnswer, writeFault } from "./write.ts";

const accessKeyId = "AKIASTANDIN";
export const secretAccessKey = "canary-aws-secret-key";

/** A call that came in, and what was answered: `ok`, or the code of the error. */
export interface Seen {
  service: ServiceName;
  operation: string;
  input: Struct;
  answered: string;
}

/** AWS, as its own service models describe it, behind one address. It is a stand-in: AWS itself may be stricter, or other. */
export class Aws {
  readonly seen: Seen[] = [];
  readonly ecr = new Ecr();
  readonly codeartifact = new CodeArtifact();
  readonly ebs = new Ebs();
  readonly ec2 = new Ec2(this.ebs);
  readonly kms = new Kms();
  /** What goes wrong with a call before anything is done; replace it at will. */
  fault: (call: Seen) => Fault | undefined = () => undefined;
  url = "";
  readonly #services = new Map<ServiceName, Service>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    this.url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    return this;
  }

  async stop(): Promise<void> {
    await this.codeartifact.stop();
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** How often an operation was asked for. */
  count(operation: string): number {
    return this.seen.filter((each) => each.operation === operation).length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const signed: Signed = { method, url, headers, body: await buffer(request) };
    const scope = readScope(headers);
    const name = scope?.service as ServiceName;
    if (scope === null || !["ecr", "codeartifact", "ec2", "ebs", "kms"].includes(name)) {
      return writeFault("rest-json", new Fault(403, "MissingAuthenticationTokenException"), response);
    }
    const service = this.#service(name);
    const seen: Seen = { service: name, operation: "", input: {}, answered: "ok" };
    try {
      const call = this.#read(service, signed);
      seen.operation = call.operation.name;
      seen.input = call.input;
      this.seen.push(seen);
      // A body of unknown length is none that AWS takes.
      if (signed.body.length > 0 && headers["content-length"] === undefined)
        throw new Fault(411, "MissingContentLength");
      const known = scope.accessKeyId === accessKeyId && scope.region === "eu-west-1";
      const mayBeUnsigned = call.operation.authtype === "v4-unsigned-body";
      const wrong = known ? wrongSignature(signed, scope, secretAccessKey, mayBeUnsigned) : "unknown access key";
      if (wrong !== null) throw new Fault(403, "SignatureDoesNotMatch", wrong);
      const fault = this.fault(seen);
      if (fault !== undefined) throw fault;
      writeAnswer(service, call.operation, this.#do(name, call), response);
    } catch (error) {
      const fault = error instanceof Fault ? error : new Fault(500, "StandInBroken", String(error));
      seen.answered = fault.code;
      writeFault(service.metadata.protocol, fault, response);
    }
  }

  #do(name: ServiceName, { operation, input }: Call): Struct {
    return { codeartifact: this.codeartifact, ecr: this.ecr, ebs: this.ebs, ec2: this.ec2, kms: this.kms }[name].answer(
      operation.name,
      input,
    );
  }

  #read(service: Service, signed: Signed): Call {
    try {
      return readCall(service, signed);
    } catch (error) {
      if (!(error instanceof AgainstTheModel)) throw error;
      throw new Fault(400, "AgainstTheModel", error.message);
    }
  }

  #service(name: ServiceName): Service {
    const service = this.#services.get(name) ?? new Service(name);
    this.#services.set(name, service);
    return service;
  }
}

/** What an operator sets to lead AWS's SDK to the stand-in. */
export function awsEnvironment(aws: Aws, secret = secretAccessKey): Record<string, string> {
  const services = ["ECR", "CODEARTIFACT", "EC2", "EBS", "KMS"].map((name) => [`AWS_ENDPOINT_URL_${name}`, aws.url]);
  return {
    ...Object.fromEntries(services),
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_EC2_METADATA_DISABLED: "true",
    // The SDK waits between its attempts, which is its own to test.
    AWS_MAX_ATTEMPTS: "1",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  };
}

/** Puts it into our own environment; the returned function puts back what was there. */
export function useAws(aws: Aws, secret = secretAccessKey): () => void {
  const wanted = awsEnvironment(aws, secret);
  const before = Object.keys(wanted).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, wanted);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
