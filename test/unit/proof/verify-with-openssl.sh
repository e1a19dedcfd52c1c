#!/bin/sh
# Verifies a Sigstore bundle with openssl and nothing of deliverd: rebuilds the Pre-Authentication Encoding of its
# envelope by hand (DSSE 1.0). Usage: verify-with-openssl.sh <bundle.json> <public key>
set -eu
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2"; }
type=$(field payloadType "$1")
field payload "$1" | base64 -d > payload.bin
field sig "$1" | base64 -d > sig.der
printf 'DSSEv1 %s %s %s ' "${#type}" "$type" "$(wc -c < payload.bin | tr -d ' ')" > pae.bin
cat payload.bin >> pae.bin
openssl dgst -sha256 -verify "$2" -signature sig.der pae.bin
