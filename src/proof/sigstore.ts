/*
 * What is used of Sigstore's libraries. They are CommonJS: a bundle knows the names of their exports only through a
 * static import. Load this module with `import()`, so that a start does not load them.
 */
export { type Bundle, bundleFromJSON, bundleToJSON, toDSSEBundle } from "@sigstore/bundle";
export { toSignedEntity, Verifier } from "@sigstore/verify";
