import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { isDelayId } from "../../lib/matrix/delay_id.ts";
import { Secret } from "../../lib/secret.ts";
import { failureOf, hopOf } from "../net/fixtures.ts";
import { AS_TOKEN, pathsOf, startWorld, TIMEOUT_MS } from "./fixtures.ts";

const ID = "syd_PbMHVRGgmIXJHEpfVmWr";
const ALICE = "@alice:own.example";
const ROOM = "!room:example.org";
const HOUR_MS = 3_600_000;

/** A homeserver with Alice's event, or what a test has it answer in place of that. */
async function startEvents(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const { delayedEvents } = world.homeserver;
  delayedEvents.schedule(ID, HOUR_MS, { userId: ALICE, roomId: ROOM });
  return Object.assign(world, {
    delayedEvents,
    find: (delayId = ID, userId = ALICE) =>
      world.findDelayedEvent(new Secret(delayId), userId, TIMEOUT_MS),
    answer(body: unknown, status = 200) {
      delayedEvents.settings.answerLookup = () => ({
        status,
        body: body as Record<string, unknown>,
      });
    },
  });
}

Deno.test("findDelayedEvent() finds a user's own event, in that user's name", async () => {
  await using world = await startEvents();
  assertEquals(await world.find(), { roomId: ROOM, delayMs: HOUR_MS });
  const [{ method, path, headers }] = world.homeserver.requests as [
    typeof world.homeserver.requests[0],
  ];
  const query = "user_id=%40alice%3Aown.example";
  const events = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
  assertEquals([method, path], ["GET", `${events}/${ID}?${query}`]);
  assertEquals(headers.get("authorization"), `Bearer ${AS_TOKEN}`);
});

Deno.test("findDelayedEvent() finds no event that is over, unknown, or another user's", async () => {
  await using world = await startEvents();
  assertEquals(await world.find("unknown"), undefined);
  assertEquals(await world.find(ID, "@bob:own.example"), undefined);
  world.delayedEvents.act(ID, "send");
  assertEquals(await world.find(), undefined);
});

Deno.test("findDelayedEvent() finds the stable path, and finds back", async () => {
  await using world = await startEvents();
  const ask = async (paths: "unstable" | "stable") => {
    world.delayedEvents.settings.paths = paths;
    world.homeserver.requests.length = 0;
    assertEquals((await world.find())?.roomId, ROOM);
    return pathsOf(world.homeserver).map((path) => path.includes("/v1/") ? "stable" : "unstable");
  };
  assertEquals(await ask("stable"), ["unstable", "stable"]);
  assertEquals(await ask("stable"), ["stable"]);
  assertEquals(await ask("unstable"), ["stable", "unstable"]);
  assertEquals(await ask("unstable"), ["unstable"]);
});

Deno.test("findDelayedEvent() is understood as it was meant, whatever the IDs are", async () => {
  await using world = await startEvents();
  const odd = fc.string({
    unit: fc.constantFrom("%", "/", ".", "?", "#", "2", "e", "\\", "+", " "),
  });
  const ids = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), odd).filter(isDelayId);
  await fc.assert(
    fc.asyncProperty(ids, async (id) => {
      world.delayedEvents.schedule(id, 5, { userId: ALICE, roomId: ROOM });
      assertEquals(await world.find(id), { roomId: ROOM, delayMs: 5 });
      assertEquals(world.delayedEvents.lookups.at(-1)?.delayId, id);
      const { pathname } = new URL(`http://hs${pathsOf(world.homeserver).at(-1)}`);
      assertEquals(pathname.split("/").length, 7);
    }),
    { numRuns: 200 },
  );
});

Deno.test("findDelayedEvent() does not ask for what is no delay ID", async () => {
  await using world = await startEvents();
  for (const id of ["", ".", "..", "a\ud800", "a".repeat(256)]) {
    const error = await assertRejects(() => world.find(id), TypeError);
    assert(id.length < 3 || !error.message.includes(id));
  }
  assertEquals(world.homeserver.requests, []);
});

const events: Record<string, [Record<string, unknown>, number | undefined]> = {
  "with the least there can be": [{ room_id: ROOM, delay_ms: 5 }, 5],
  "in the older form": [{ room_id: ROOM, delay: 7, running_since: 1 }, 7],
  "in both forms": [{ room_id: ROOM, delay_ms: 5, delay: 7 }, 5],
  "whose newer form is of no use": [{ room_id: ROOM, delay_ms: 0, delay: 7 }, 7],
  "whose newer form is text": [{ room_id: ROOM, delay_ms: "5", delay: 7 }, 7],
  "of a day": [{ room_id: ROOM, delay_ms: 24 * HOUR_MS }, 24 * HOUR_MS],
  "of more than a day": [{ room_id: ROOM, delay_ms: 24 * HOUR_MS + 1 }, 24 * HOUR_MS],
  "of 9e15 ms": [{ room_id: ROOM, delay_ms: 9e15 }, 24 * HOUR_MS],
  "that has its own ID": [{ delay_id: ID, room_id: ROOM, delay_ms: 5 }, 5],
  "that is not finalised": [{ room_id: ROOM, delay_ms: 5, finalised: null }, 5],
  "that says it is not finalised": [{ room_id: ROOM, delay_ms: 5, finalised: false }, 5],
  "of the same user": [{ room_id: ROOM, delay_ms: 5, sender: ALICE, user_id: ALICE }, 5],
  "with the user's state key": [{ room_id: ROOM, delay_ms: 5, state_key: ALICE }, 5],
  "with a state key that names nobody": [{ room_id: ROOM, delay_ms: 5, state_key: "x@y:z" }, 5],
  "with a state key that is none": [{ room_id: ROOM, delay_ms: 5, state_key: 5 }, 5],
  "that is finalised": [{ room_id: ROOM, delay_ms: 5, finalised: { finalised_ts: 1 } }, undefined],
  "that has been finalised at a time": [{ room_id: ROOM, delay_ms: 5, finalised_ts: 1 }, undefined],
  "that has an outcome": [{ room_id: ROOM, delay_ms: 5, outcome: "send" }, undefined],
  "that is an event already": [{ room_id: ROOM, delay_ms: 5, event_id: "$a" }, undefined],
  "of another sender": [{ room_id: ROOM, delay_ms: 5, sender: "@bob:own.example" }, undefined],
  "of another user": [{ room_id: ROOM, delay_ms: 5, user_id: "@bob:own.example" }, undefined],
  "of something else for a user": [{ room_id: ROOM, delay_ms: 5, sender: [ALICE] }, undefined],
  "with another's state key": [
    { room_id: ROOM, delay_ms: 5, state_key: "_@bob:own.example_D" },
    undefined,
  ],
};
for (const [what, [body, delayMs]] of Object.entries(events)) {
  Deno.test(`findDelayedEvent() ${delayMs ? "takes" : "does not find"} an event ${what}`, async () => {
    await using world = await startEvents();
    world.answer(body);
    assertEquals(await world.find(), delayMs === undefined ? undefined : { roomId: ROOM, delayMs });
  });
}

const garbage: Record<string, [unknown, string]> = {
  "nothing": [{}, "no room_id"],
  "another event": [{ delay_id: "other", room_id: ROOM, delay_ms: 5 }, "another event"],
  "another event that is over": [{ delay_id: "other", finalised: {} }, "another event"],
  "a number for an ID": [{ delay_id: 5, room_id: ROOM, delay_ms: 5 }, "another event"],
  "no room": [{ delay_ms: 5 }, "no room_id"],
  "a list for a room": [{ room_id: [ROOM], delay_ms: 5 }, "no room_id"],
  "no room ID": [{ room_id: "room", delay_ms: 5 }, "no room_id"],
  "no delay": [{ room_id: ROOM }, "no delay_ms"],
  "no delay at all": [{ room_id: ROOM, delay_ms: 0, delay: 0 }, "no delay_ms"],
  "a delay into the past": [{ room_id: ROOM, delay_ms: -5 }, "no delay_ms"],
  "part of a millisecond": [{ room_id: ROOM, delay_ms: 5.5 }, "no delay_ms"],
  "a delay of null": [{ room_id: ROOM, delay_ms: null, delay: "5" }, "no delay_ms"],
  "a list": [[], "no JSON object"],
  "null": [null, "no JSON object"],
};
for (const [what, [body, message]] of Object.entries(garbage)) {
  Deno.test(`findDelayedEvent() makes nothing of ${what}`, async () => {
    await using world = await startEvents();
    world.answer(body);
    const failure = await failureOf(world.find());
    assertEquals(failure.hop, "answer");
    assertStringIncludes(failure.message, message);
    for (const hidden of [ID, "alice", AS_TOKEN]) assert(!failure.message.includes(hidden));
  });
}

const refusals: [number, string, string][] = [
  [401, "M_UNKNOWN_TOKEN", "the homeserver does not know LIVEKIT_AS_TOKEN"],
  [401, "M_MISSING_TOKEN", "removes the Authorization header"],
  [403, "M_FORBIDDEN", "namespaces.users"],
  [404, "M_UNRECOGNIZED", "max_event_delay_duration"],
  [404, "M_UNKNOWN", "HTTP 404 M_UNKNOWN"],
  [429, "M_LIMIT_EXCEEDED", "rate_limited: false"],
  [500, "M_UNKNOWN", "HTTP 500 M_UNKNOWN"],
  [500, "M_NOT_FOUND", "HTTP 500 M_NOT_FOUND"],
  [404, "", "HTTP 404 without a Matrix error code"],
  [502, "", "HTTP 502 without a Matrix error code"],
];
for (const [status, errcode, message] of refusals) {
  Deno.test(`findDelayedEvent() takes ${status} ${errcode} for no answer`, async () => {
    await using world = await startEvents();
    world.answer({ errcode, error: `${ALICE} ${ID}` }, status);
    const failure = await failureOf(world.find());
    assertEquals(failure.hop, "answer");
    assertStringIncludes(failure.message, message);
    for (const hidden of [ID, "alice", AS_TOKEN]) assert(!failure.message.includes(hidden));
  });
}

Deno.test("findDelayedEvent() hears from the fake what Synapse says", async () => {
  await using wrong = await startEvents({ asToken: "another-token" });
  assertStringIncludes((await hopOf(wrong.find()))[1], "M_UNKNOWN_TOKEN");
  await using world = await startEvents();
  world.delayedEvents.settings.isInNamespace = () => false;
  assertStringIncludes((await hopOf(world.find()))[1], "M_FORBIDDEN");
  world.delayedEvents.settings.paths = "none";
  assertStringIncludes((await hopOf(world.find()))[1], "M_UNRECOGNIZED");
});
