import { assertEquals, assertRejects } from "@std/assert";
import type { ParticipantEvent } from "../../lib/delayed_leave/participant_event.ts";
import { StoreError } from "../../lib/delayed_leave/store.ts";
import type { CallParticipant } from "../../lib/membership/call_participant.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { receiveWebhook } from "../../lib/usecases/receive_webhook.ts";

const ALICE = { identity: "alice", sid: "PA_1" };

function createWorld() {
  const forgotten: string[] = [];
  const heard: SfuEvent[] = [];
  const told: ParticipantEvent[] = [];
  const joined: CallParticipant[] = [];
  const receive = (event: SfuEvent) =>
    receiveWebhook(event, {
      forgetRoom: (room) => forgotten.push(room),
      delayedLeaves: {
        onWebhook: (event) => heard.push(event),
        onEvent: (event) => {
          told.push(event);
          return Promise.resolve();
        },
      },
      membership: { onJoined: (participant) => joined.push(participant) },
    });
  return { forgotten, heard, told, joined, receive };
}

for (
  const { event, room, forgotten } of [
    { event: "room_finished", room: "a", forgotten: ["a"] },
    { event: "room_finished", room: undefined, forgotten: [] },
    { event: "room_started", room: "a", forgotten: [] },
    { event: "participant_left", room: "a", forgotten: [] },
  ]
) {
  Deno.test(`receiveWebhook() forgets ${forgotten.length} rooms after ${event} of ${room}`, async () => {
    const world = createWorld();
    const sfuEvent = { event, room, disconnectReason: "UNKNOWN_REASON" };
    await world.receive(sfuEvent);
    assertEquals([world.forgotten, world.heard, world.told], [forgotten, [sfuEvent], []]);
  });
}

for (
  const { event, kind } of [
    { event: "participant_joined", kind: "joined" },
    { event: "participant_left", kind: "left" },
    { event: "participant_connection_aborted", kind: "aborted" },
  ] as const
) {
  Deno.test(`receiveWebhook() tells the jobs of ${event}`, async () => {
    const world = createWorld();
    await world.receive({
      event,
      room: "call",
      participant: ALICE,
      disconnectReason: "MIGRATION",
    });
    const reason = "MIGRATION";
    assertEquals(world.told, [{ kind, room: "call", identity: "alice", sid: "PA_1", reason }]);
    assertEquals(world.heard.length, 1);
  });
}

for (
  const { name, event } of [
    { name: "no room", event: { event: "participant_left", room: undefined, participant: ALICE } },
    { name: "no participant", event: { event: "participant_left", room: "call" } },
    { name: "a track", event: { event: "track_published", room: "call", participant: ALICE } },
    { name: "no name", event: { event: "", room: "call", participant: ALICE } },
    { name: "a name of Object's", event: { event: "toString", room: "a", participant: ALICE } },
  ]
) {
  Deno.test(`receiveWebhook() tells the jobs nothing of an event with ${name}`, async () => {
    const world = createWorld();
    await world.receive({ ...event, disconnectReason: "CLIENT_INITIATED" });
    assertEquals([world.told, world.joined, world.heard.length], [[], [], 1]);
  });
}

Deno.test("receiveWebhook() fails when the event could not be kept", async () => {
  const onEvent = () => Promise.reject(new StoreError("http", "no answer"));
  const event = {
    event: "participant_left",
    room: "call",
    participant: ALICE,
    disconnectReason: "CLIENT_INITIATED",
  };
  const deps = { forgetRoom() {}, delayedLeaves: { onWebhook() {}, onEvent } };
  await assertRejects(() => receiveWebhook(event, deps), StoreError);
});

Deno.test("receiveWebhook() forgets rooms where nobody looks after delayed leaves", async () => {
  const rooms: string[] = [];
  const finished = { event: "room_finished", room: "a", disconnectReason: "UNKNOWN_REASON" };
  await receiveWebhook(finished, { forgetRoom: (room) => rooms.push(room) });
  assertEquals(rooms, ["a"]);
});

const ATTRIBUTES = { "io.matrixrtc-auth.member": "sealed" };

Deno.test("receiveWebhook() tells who looks after membership of participants who come", async () => {
  const world = createWorld();
  const event = { room: "call", disconnectReason: "UNKNOWN_REASON" };
  const alice = { ...ALICE, attributes: ATTRIBUTES };
  const bob = { identity: "bob" };
  await world.receive({ ...event, event: "participant_joined", participant: alice });
  await world.receive({ ...event, event: "participant_joined", participant: bob });
  await world.receive({ ...event, event: "participant_left", participant: alice });
  await world.receive({ ...event, event: "participant_connection_aborted", participant: bob });
  assertEquals(world.joined, [
    { room: "call", identity: "alice", attributes: ATTRIBUTES },
    { room: "call", identity: "bob" },
  ]);
});

Deno.test("receiveWebhook() keeps attributes away from the jobs", async () => {
  const world = createWorld();
  const participant = { ...ALICE, attributes: ATTRIBUTES };
  const event = "participant_joined";
  const reason = "UNKNOWN_REASON";
  await world.receive({ event, room: "call", participant, disconnectReason: reason });
  assertEquals(world.told, [{ kind: "joined", room: "call", ...ALICE, reason }]);
});

Deno.test("receiveWebhook() tells of membership even when the event could not be kept", async () => {
  const joined: CallParticipant[] = [];
  const event = {
    event: "participant_joined",
    room: "call",
    participant: ALICE,
    disconnectReason: "UNKNOWN_REASON",
  };
  await assertRejects(() =>
    receiveWebhook(event, {
      forgetRoom() {},
      delayedLeaves: {
        onWebhook() {},
        onEvent: () => Promise.reject(new StoreError("http", "no answer")),
      },
      membership: { onJoined: (participant) => joined.push(participant) },
    }), StoreError);
  assertEquals(joined.length, 1);
});
