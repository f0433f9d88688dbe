import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { Secret } from "../../lib/secret.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { SFU_SECRET } from "../fakes/sfu.ts";
import { secret, test, testSecrets } from "./support/watched.ts";
import { ask, getTokenBody, startWorld } from "./support/world.ts";

const world = await startWorld();
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

/** A webhook as LiveKit signs it. */
function webhook(event: object, key = world.sfu.key) {
  const body = JSON.stringify(event);
  const now = Math.floor(Date.now() / 1000);
  const token = createSigner(new Secret(SFU_SECRET))({
    iss: key,
    nbf: now,
    exp: now + 300,
    sha256: createHash("sha256").update(body).digest("base64"),
  });
  return { body, headers: { authorization: token, "content-type": "application/webhook+json" } };
}

test("a signed webhook is 200, and a room that is finished is created again", async () => {
  const { service, sfu } = world;
  const room_id = "!webhook:example.com";
  const join = () => ask(service, "POST", "/get_token", { ...getTokenBody(world), room_id });
  sfu.calls.length = 0;
  const { json } = await ask(service, "POST", "/get_token", { ...getTokenBody(world), room_id });
  await join();
  assertEquals(sfu.count("CreateRoom"), 1);
  const name = JSON.parse(atob((json.jwt as string).split(".")[1]!)).video.room;
  const { body, headers } = webhook({
    event: "room_finished",
    room: { name, turnPassword: secret("turn-password") },
  });
  const answer = await ask(service, "POST", "/sfu_webhook", body, headers);
  assertEquals([answer.status, answer.text], [200, ""]);
  await join();
  assertEquals(sfu.count("CreateRoom"), 2);
});

test("a webhook that LiveKit has not signed is 401", async () => {
  const { body, headers } = webhook({ event: "room_finished", room: { name: "r" } });
  const wrong: [body: string, headers: Record<string, string>][] = [
    [body, {}],
    [body, { authorization: "nonsense" }],
    [`${body} `, headers],
    ["", headers],
    [body, webhook({ event: "room_finished", room: { name: "r" } }, "other").headers],
  ];
  for (const [body, headers] of wrong) {
    const answer = await ask(world.service, "POST", "/sfu_webhook", body, headers);
    assertEquals([answer.status, answer.json.errcode], [401, "M_UNAUTHORIZED"]);
  }
});

test("a webhook may be 1 MiB long and no longer", async () => {
  const event = (length: number) => ({ event: "room_started", id: "x".repeat(length) });
  const overhead = JSON.stringify(event(0)).length;
  for (const [length, status] of [[1024 * 1024, 200], [1024 * 1024 + 1, 413]] as const) {
    const { body, headers } = webhook(event(length - overhead));
    assertEquals(body.length, length);
    const answer = await ask(world.service, "POST", "/sfu_webhook", body, headers);
    assertEquals(answer.status, status);
  }
  await world.service.waitForLog(/endpoint=\/sfu_webhook status=413/);
});

testSecrets();
