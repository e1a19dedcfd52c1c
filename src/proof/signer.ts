/** Signs proofs: ECDSA on the curve P-256 with SHA-256. A key in a file, or one that a service keeps. */
export interface Signer {
  /** As `keyIdOf` makes it. */
  readonly keyId: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
  /**
   * @returns the signature over these bytes, in ASN.1 DER
   * @throws TransientError if the service that keeps the key does not answer now, Refused if it does not let us sign
   */
  sign(bytes: Buffer): Promise<Buffer>;
}

/** Where the signer comes from. A key that a service keeps is known only once that service answers. */
export interface SignerSource {
  /** Names the key's place: of each holder one key signs at a time. It holds no secret. */
  readonly holder: string;
  /** The same signer each time. @throws as Signer.sign does */
  open(): Promise<Signer>;
  /**
   * The key that signed before for this holder, if the configuration still has it: it signs the list of keys in which
   * the new key comes after it.
   */
  readonly previous: Signer | null;
}
