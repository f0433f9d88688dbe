/** JSON Web Tokens signed with HMAC-SHA-256, the only kind that LiveKit makes and takes. */

import { Buffer } from "node:buffer";
import { createHash, type Hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../secret.ts";

/** Signs a token's claims; see {@linkcode createSigner}. */
export type Signer = (claims: Readonly<Record<string, unknown>>) => string;

/** Checks a token's signature; see {@linkcode createVerifier}. */
export type Verifier = (token: string) => Readonly<Record<string, unknown>> | undefined;

const HEADER = encode(JSON.stringify({ alg: "HS256", typ: "JWT" }));
const NON_ASCII = /[\u0080-\uffff]/;

/**
 * Makes the function that signs with a secret. A signature takes 3 µs: a third
 * of `createHmac()`, which starts from the key each time, and a tenth of
 * WebCrypto's hop to another thread.
 *
 * @example The example of RFC 7515 §A.1 has other white space, so this checks the shape only
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { createSigner } from "./hs256.ts";
 *
 * const token = createSigner(new Secret("secret"))({ iss: "key" });
 * assertEquals(JSON.parse(atob(token.split(".")[1]!)), { iss: "key" });
 * ```
 *
 * @returns A function from claims to a compact JWS (RFC 7515). Its payload is
 * pure ASCII, other characters escaped: clients decode it with `atob()`.
 */
export function createSigner(secret: Secret): Signer {
  const hmac = createHmacOf(secret);
  return (claims) => {
    const json = JSON.stringify(claims);
    const input = `${HEADER}.${encode(NON_ASCII.test(json) ? escapeNonAscii(json) : json)}`;
    return `${input}.${hmac(input).digest("base64url")}`;
  };
}

/**
 * Makes the function that checks who signed a token. What the claims say, its
 * time among it, is for the caller to judge.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { createSigner, createVerifier } from "./hs256.ts";
 *
 * const token = createSigner(new Secret("secret"))({ iss: "key" });
 * assertEquals(createVerifier(new Secret("secret"))(token), { iss: "key" });
 * assertEquals(createVerifier(new Secret("other"))(token), undefined);
 * ```
 *
 * @returns A function from a compact JWS to its claims, or to `undefined` unless
 * it is one of HS256, signed with this secret.
 */
export function createVerifier(secret: Secret): Verifier {
  const hmac = createHmacOf(secret);
  return (token) => {
    const end = token.lastIndexOf(".");
    const signature = Buffer.from(token.slice(end + 1));
    const expected = Buffer.from(hmac(token.slice(0, Math.max(end, 0))).digest("base64url"));
    // The signature's length is no secret; where it differs from the right one does not show.
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      return undefined;
    }
    const [header, claims, ...rest] = token.slice(0, end).split(".");
    const { alg, crit } = decode(header) ?? {};
    // RFC 7515 has `crit` list extensions that must be understood; none is.
    const isOurs = alg === "HS256" && crit === undefined && rest.length === 0;
    return isOurs ? decode(claims) : undefined;
  };
}

function createHmacOf(secret: Secret): (text: string) => Hash {
  // HMAC is a hash of a hash (RFC 2104): H(key ^ opad, H(key ^ ipad, text)). What the key makes of
  // the two hashes is the same for every token, so it is kept, and copied for each.
  const key = blockOf(secret);
  const inner = createHash("sha256").update(key.map((byte) => byte ^ 0x36));
  const outer = createHash("sha256").update(key.map((byte) => byte ^ 0x5c));
  return (text) => outer.copy().update(inner.copy().update(text).digest());
}

/** The key in the size of a block of SHA-256: hashed if longer, filled up with zeros if shorter. */
function blockOf(secret: Secret): Uint8Array {
  const key = new TextEncoder().encode(secret.reveal());
  const block = new Uint8Array(64);
  block.set(key.length > block.length ? createHash("sha256").update(key).digest() : key);
  return block;
}

function encode(ascii: string): string {
  return btoa(ascii).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function decode(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? "", "base64url").toString());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

function escapeNonAscii(json: string): string {
  return json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
