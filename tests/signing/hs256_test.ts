import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { TokenVerifier } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import { createSigner, createVerifier } from "../../lib/signing/hs256.ts";

const SECRET = "a-secret-of-thirty-two-characters!";

function partsOf(token: string): [header: string, payload: string, signature: string] {
  const parts = token.split(".");
  assertEquals(parts.length, 3);
  return parts as [string, string, string];
}

Deno.test("createSigner() makes the token that jwt.io shows for its example", () => {
  const sign = createSigner(new Secret("your-256-bit-secret"));
  assertEquals(
    sign({ sub: "1234567890", name: "John Doe", iat: 1516239022 }),
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" +
      ".eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ" +
      ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
  );
});

Deno.test("createSigner() says HS256 and JWT in the header, and nothing else", () => {
  const [header] = partsOf(createSigner(new Secret(SECRET))({}));
  assertEquals(JSON.parse(Buffer.from(header, "base64url").toString()), {
    alg: "HS256",
    typ: "JWT",
  });
});

Deno.test("createSigner() takes the secret as UTF-8", () => {
  const [header, payload, signature] = partsOf(createSigner(new Secret("pässwörd 🔑"))({ a: 1 }));
  const key = new TextEncoder().encode("pässwörd 🔑");
  const expected = createHmac("sha256", key).update(`${header}.${payload}`).digest("base64url");
  assertEquals(signature, expected);
});

Deno.test("createSigner() signs in a way that LiveKit's verifier accepts, of this secret only", async () => {
  const now = Math.floor(Date.now() / 1000);
  const token = createSigner(new Secret(SECRET))({
    iss: "devkey",
    sub: "@zoë:example.org:DEVICE",
    nbf: now,
    exp: now + 60,
    video: { room: "r" },
  });
  const claims = await new TokenVerifier("devkey", SECRET).verify(token);
  assertEquals([claims.sub, claims.video?.room], ["@zoë:example.org:DEVICE", "r"]);
  await assertRejects(() => new TokenVerifier("devkey", `${SECRET}x`).verify(token), Error);
  await assertRejects(() => new TokenVerifier("other", SECRET).verify(token), Error);
});

Deno.test("createSigner() makes an ASCII payload that every decoder reads the same", () => {
  const sign = createSigner(new Secret(SECRET));
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.string(), (sub, other) => {
    const [header, payload, signature] = partsOf(sign({ sub, other }));
    assertMatch(`${header}.${payload}.${signature}`, /^[\w-]+\.[\w-]+\.[\w-]{43}$/);
    // A client's atob() sees bytes, not UTF-8.
    const bytes = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    assert([...bytes].every((character) => character <= "\x7f"));
    assertEquals(JSON.parse(bytes), { sub, other });
    const expected = createHmac("sha256", SECRET).update(`${header}.${payload}`).digest(
      "base64url",
    );
    assertEquals(signature, expected);
  }));
});

for (const length of [1, 63, 64, 65, 128, 1_000]) {
  Deno.test(`createSigner() makes Node's HMAC of a secret of ${length} characters`, () => {
    const secret = "k".repeat(length);
    const sign = createSigner(new Secret(secret));
    // Twice: the second token must not carry anything of the first.
    for (const claims of [{ a: "x".repeat(1_000) }, { b: 1 }]) {
      const [header, payload, signature] = partsOf(sign(claims));
      const hmac = createHmac("sha256", secret).update(`${header}.${payload}`);
      assertEquals(signature, hmac.digest("base64url"));
    }
  });
}

// RFC 7515, appendix A.1: header and claims have line breaks in them, the key is 64 bytes of its own.
const RFC_7515_TOKEN = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." +
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
  ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

Deno.test("createVerifier() judges other signers' tokens as node:crypto's own HMAC does", () => {
  const [header, claims] = RFC_7515_TOKEN.split(".");
  const input = `${header}.${claims}`;
  for (const secret of ["", "short", "a-secret-of-thirty-two-characters!", "x".repeat(65), "é😀"]) {
    const verify = createVerifier(new Secret(secret));
    const signature = createHmac("sha256", secret).update(input).digest("base64url");
    assertEquals(verify(`${input}.${signature}`), {
      iss: "joe",
      exp: 1300819380,
      "http://example.com/is_root": true,
    });
    assertEquals(verify(RFC_7515_TOKEN), undefined);
  }
});

Deno.test("createVerifier() refuses a token changed in any place", () => {
  const secret = new Secret("a-secret-of-thirty-two-characters!");
  const verify = createVerifier(secret);
  const token = createSigner(secret)({ iss: "key", exp: 1 });
  for (let at = 0; at < token.length; at++) {
    for (const letter of ["", "A", "b", "=", ".", "é"]) {
      if (token[at] === letter) continue;
      assertEquals(verify(token.slice(0, at) + letter + token.slice(at + 1)), undefined);
    }
  }
});

Deno.test("createVerifier() refuses claims that are no object", () => {
  const secret = new Secret("a-secret-of-thirty-two-characters!");
  const header = btoa('{"alg":"HS256"}').replaceAll("=", "");
  for (const claims of ["", "null", "[]", "1", "{"]) {
    const input = `${header}.${btoa(claims).replaceAll("=", "")}`;
    const signature = createHmac("sha256", secret.reveal()).update(input).digest("base64url");
    assertEquals(createVerifier(secret)(`${input}.${signature}`), undefined);
  }
});
