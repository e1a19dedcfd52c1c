import { type Methods, unary } from "../grpc/server.ts";

/** Field 1 = SERVING (grpc.health.v1.HealthCheckResponse). */
const SERVING = Buffer.from([0x08, 0x01]);

/** BuildKit asks every 5 s, and closes a session that does not answer. */
export const health: Methods = { "/grpc.health.v1.Health/Check": unary(() => SERVING) };
