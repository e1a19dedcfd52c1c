/**
 * What the bundle in `dist/` loads from node_modules when it is first used. libsql is a native library; dockerode reads
 * files beside its own; pg would like another driver that nobody has. AWS's are large, needed by few, and CommonJS:
 * bundled, what they export would have no names.
 */
export const EXTERNAL = ["libsql", "dockerode", "pg-native", "@aws-sdk/*"];
