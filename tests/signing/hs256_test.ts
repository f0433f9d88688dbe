import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { TokenVerifier } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";

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
