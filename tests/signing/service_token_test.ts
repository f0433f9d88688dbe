import { assertEquals, assertNotEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { TokenVerifier } from "livekit-server-sdk";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createServiceTokens } from "../../lib/signing/service_token.ts";
import { createManualClock } from "../support/manual_clock.ts";

const SECRET = "a-secret-of-thirty-two-characters!";

function createTokens(now?: number) {
  const clock = createManualClock(now);
  const sign = createSigner(new Secret(SECRET));
  return { clock, tokenFor: createServiceTokens({ apiKey: "devkey", sign, clock }) };
}

function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
}

Deno.test("createServiceTokens() grants one thing for ten minutes", () => {
  const now = 1_700_000_000;
  const { tokenFor } = createTokens(now * 1000);
  assertEquals(claimsOf(tokenFor("roomCreate")), {
    iss: "devkey",
    nbf: now,
    exp: now + 600,
    video: { roomCreate: true },
  });
  assertEquals(claimsOf(tokenFor("roomList")).video, { roomList: true });
});

Deno.test("createServiceTokens() makes tokens that LiveKit's verifier accepts", async () => {
  const { tokenFor } = createTokens(Date.now());
  const claims = await new TokenVerifier("devkey", SECRET).verify(tokenFor("roomCreate"));
  assertEquals(claims.video, { roomCreate: true });
});

Deno.test("createServiceTokens() uses a token again until half its time has passed", () => {
  const { clock, tokenFor } = createTokens();
  const first = tokenFor("roomCreate");
  clock.advance(300_000);
  assertEquals(tokenFor("roomCreate"), first);
  clock.advance(1_000);
  const second = tokenFor("roomCreate");
  assertEquals(Number(claimsOf(second).nbf) - Number(claimsOf(first).nbf), 301);
  assertEquals(tokenFor("roomCreate"), second);
});

Deno.test("createServiceTokens() keeps the tokens of two grants apart", () => {
  const { tokenFor } = createTokens();
  const create = tokenFor("roomCreate");
  assertNotEquals(tokenFor("roomList"), create);
  assertEquals(tokenFor("roomCreate"), create);
});

Deno.test("createServiceTokens() makes a new token when the system's clock is set back", () => {
  const { clock, tokenFor } = createTokens();
  const first = tokenFor("roomCreate");
  clock.setNow(clock.now() - 3_600_000);
  const second = tokenFor("roomCreate");
  assertEquals(Number(claimsOf(second).nbf), Math.floor(clock.now() / 1000));
  assertNotEquals(second, first);
});

Deno.test("createServiceTokens() makes an administrator of one room, and of each by itself", async () => {
  const { tokenFor } = createTokens(Date.now());
  const token = tokenFor({ roomAdmin: "call" });
  const claims = await new TokenVerifier("devkey", SECRET).verify(token);
  assertEquals(claims.video, { roomAdmin: true, room: "call" });
  assertEquals(tokenFor({ roomAdmin: "call" }), token);
  assertEquals(claimsOf(tokenFor({ roomAdmin: "other" })).video, {
    roomAdmin: true,
    room: "other",
  });
  assertEquals(claimsOf(tokenFor({ roomAdmin: "roomList" })).video, {
    roomAdmin: true,
    room: "roomList",
  });
  assertEquals(claimsOf(tokenFor("roomList")).video, { roomList: true });
});

Deno.test("createServiceTokens() keeps the tokens of the 1024 rooms that were used last", () => {
  const { clock, tokenFor } = createTokens();
  const first = tokenFor({ roomAdmin: "0" });
  const second = tokenFor({ roomAdmin: "1" });
  clock.advance(1_000);
  for (let i = 2; i < 1_024; i++) tokenFor({ roomAdmin: `${i}` });
  assertEquals(tokenFor({ roomAdmin: "0" }), first);
  tokenFor({ roomAdmin: "1024" });
  assertEquals(tokenFor({ roomAdmin: "0" }), first);
  assertNotEquals(tokenFor({ roomAdmin: "1" }), second);
});
