import { assert, assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../lib/delayed_leave/store.ts";
import type { RequestContext } from "../../lib/http/endpoint.ts";
import { createWebhookEndpoint } from "../../lib/http/webhook_endpoint.ts";
import { MatrixError, UnavailableError } from "../../lib/matrix/errors.ts";
import { Secret } from "../../lib/secret.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { createWebhookReader } from "../../lib/sfu/webhook.ts";
import { DOCTOR_EVENT } from "../../lib/sfu/webhook_sightings.ts";
import { SFU_SECRET } from "../fakes/sfu.ts";
import { type WebhookChanges, type WebhookEvent, webhookRequest } from "../fakes/sfu_webhook.ts";
import { createManualClock } from "../support/manual_clock.ts";

const URL = "http://service.example/sfu_webhook";
const LEFT = {
  event: "participant_left",
  room: "call",
  participant: { identity: "alice", sid: "PA_1", disconnectReason: "CLIENT_INITIATED" },
};

function createWorld(receive: (event: SfuEvent) => Promise<void> = () => Promise.resolve()) {
  const clock = createManualClock(Date.now());
  const received: SfuEvent[] = [];
  const facts: RequestContext["facts"] = {};
  const context = { requestId: "1", route: "/sfu_webhook", facts };
  const endpoint = createWebhookEndpoint({
    clock,
    read: createWebhookReader([{ key: "devkey", secret: new Secret(SFU_SECRET) }], clock),
    receive: (event) => {
      received.push(event);
      return receive(event);
    },
  });
  return {
    clock,
    facts,
    received,
    post: async (request: Request) => await endpoint(request, context),
    send: async (event: WebhookEvent, changes: WebhookChanges = {}) =>
      await endpoint(
        webhookRequest(URL, event, { key: "devkey", secret: SFU_SECRET, ...changes }),
        context,
      ),
  };
}

for (const numericEnums of [false, true]) {
  const form = numericEnums ? "numbers" : "names";
  Deno.test(`createWebhookEndpoint() passes on what LiveKit signed, with ${form}`, async () => {
    const { received, send } = createWorld();
    assertEquals(await send(LEFT, { numericEnums }), { status: 200 });
    assertEquals(received, [{
      event: "participant_left",
      room: "call",
      participant: { identity: "alice", sid: "PA_1" },
      disconnectReason: "CLIENT_INITIATED",
      createdAt: 1_700_000_000,
    }]);
  });
}

Deno.test("createWebhookEndpoint() tells how old an event is", async () => {
  const { clock, facts, send } = createWorld();
  clock.setNow(1_700_000_042_400);
  await send(LEFT, { claims: { nbf: 0 } });
  assertEquals(facts.lagSeconds, 42);
  // Whose clock is ahead of ours has not sent it before it happened.
  clock.setNow(1_699_999_990_000);
  await send(LEFT, { claims: { nbf: 0 } });
  assertEquals(facts.lagSeconds, 0);
});

Deno.test("createWebhookEndpoint() answers 200 for an event without room and participant", async () => {
  const { received, send } = createWorld();
  assertEquals(await send({ event: "egress_ended" }), { status: 200 });
  assertEquals(received.map(({ event, room }) => [event, room]), [["egress_ended", undefined]]);
});

Deno.test("createWebhookEndpoint() answers once the event is kept", async () => {
  const kept = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { send } = createWorld(() => {
    asked.resolve();
    return kept.promise;
  });
  let answered = false;
  const sending = send(LEFT).then(() => answered = true);
  await asked.promise;
  await Promise.resolve();
  assertEquals(answered, false);
  kept.resolve();
  await sending;
});

Deno.test("createWebhookEndpoint() answers 503 when the event could not be kept", async () => {
  const cause = new StoreError("tcp", "connection refused");
  const { send } = createWorld(() => Promise.reject(cause));
  const error = await assertRejects(() => send(LEFT), MatrixError);
  assertEquals([error.status, error.errcode, error.message, error.cause], [
    503,
    "M_UNKNOWN",
    "The event could not be kept",
    cause,
  ]);
});

Deno.test("createWebhookEndpoint() does not take a fault of its own for an outage", async () => {
  for (const error of [new TypeError("bug"), new UnavailableError("stopping", 1)]) {
    const { send } = createWorld(() => Promise.reject(error));
    assertEquals(await send(LEFT).catch((thrown: unknown) => thrown), error);
  }
});

for (
  const { name, changes } of [
    { name: "another secret", changes: { secret: "x".repeat(32) } },
    { name: "another key", changes: { key: "other" } },
    { name: "a body that was changed", changes: { tamper: (body: string) => `${body} ` } },
  ]
) {
  Deno.test(`createWebhookEndpoint() refuses ${name} with 401`, async () => {
    const { received, send } = createWorld();
    const error = await assertRejects(() => send(LEFT, changes), MatrixError);
    assertEquals([error.status, error.errcode], [401, "M_UNAUTHORIZED"]);
    assert(!Deno.inspect(error).includes("turn-password"));
    assertEquals(received, []);
  });
}

Deno.test("createWebhookEndpoint() refuses a stranger without waiting for the body", async () => {
  const { post } = createWorld();
  const headers = { authorization: "nonsense" };
  let pulls = 0;
  const body = new ReadableStream({
    // Without a place in its queue, the stream is asked for bytes by nobody but a reader.
    pull: () => void pulls++,
  }, { highWaterMark: 0 });
  const error = await assertRejects(
    () => post(new Request(URL, { method: "POST", headers, body })),
    MatrixError,
  );
  assertEquals([error.status, pulls], [401, 0]);
});

Deno.test("createWebhookEndpoint() does not wait longer than 10 s for a body", async () => {
  const { clock, post } = createWorld();
  const { headers } = webhookRequest(URL, LEFT, { key: "devkey", secret: SFU_SECRET });
  const body = new ReadableStream({ pull: () => new Promise(() => {}) }, { highWaterMark: 0 });
  const waiting = post(new Request(URL, { method: "POST", headers, body }));
  const refusal = assertRejects(() => waiting, MatrixError);
  clock.advance(10_000);
  assertEquals((await refusal).status, 408);
});

Deno.test("createWebhookEndpoint() tells who holds the key what has come, and counts no question", async () => {
  const { clock, received, send } = createWorld();
  const ask = async () => {
    const { status, body } = await send({ event: DOCTOR_EVENT });
    assertEquals(status, 200);
    return JSON.parse(body!).webhooks;
  };
  assertEquals(await ask(), { received: 0, rejected: 0, doctor_rooms: [] });
  await send({ event: "room_started", room: "doctor-abc123" });
  await send({ event: "room_finished", room: "doctor-abc123" });
  await send(LEFT);
  await clock.advance(2_000);
  await assertRejects(() => send(LEFT, { key: "somebody" }), MatrixError);
  assertEquals(await ask(), {
    received: 3,
    rejected: 1,
    last_age_ms: 2_000,
    doctor_rooms: ["doctor-abc123"],
  });
  assertEquals(received.length, 3);
});

Deno.test("createWebhookEndpoint() counts nobody for a key that is wrong who has none", async () => {
  const { post, send } = createWorld();
  await assertRejects(() => post(new Request(URL, { method: "POST", body: "{}" })), MatrixError);
  await assertRejects(
    () => post(new Request(URL, { method: "POST", body: JSON.stringify({ event: DOCTOR_EVENT }) })),
    MatrixError,
  );
  const { body } = await send({ event: DOCTOR_EVENT });
  assertEquals(JSON.parse(body!).webhooks.rejected, 0);
});
