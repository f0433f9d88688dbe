import { assertEquals, assertRejects } from "@std/assert";
import { createRooms } from "../../lib/sfu/rooms.ts";
import { SfuError, type TwirpCall } from "../../lib/sfu/twirp.ts";
import type { LiveKitRoom } from "../../lib/signing/names.ts";
import { createManualClock } from "../support/manual_clock.ts";

const ROOM = "room" as LiveKitRoom;
const OTHER = "other" as LiveKitRoom;

/** Rooms whose calls to the SFU end when the test says so. */
function createWorld() {
  const clock = createManualClock();
  const calls: (TwirpCall & { succeed(): void; fail(error: Error): void })[] = [];
  const rooms = createRooms((call) => {
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    calls.push({ ...call, succeed: () => resolve({}), fail: reject });
    return promise;
  }, clock);
  return { clock, calls, rooms };
}

Deno.test("ensure() creates a room with the time-outs of lk-jwt-service", async () => {
  const { rooms, calls } = createWorld();
  const ensured = rooms.ensure(ROOM);
  const [{ method, grant, body, succeed }] = calls as [typeof calls[0]];
  succeed();
  await ensured;
  assertEquals({ method, grant, body }, {
    method: "CreateRoom",
    grant: "roomCreate",
    body: { name: "room", empty_timeout: 300, departure_timeout: 20, max_participants: 0 },
  });
});

Deno.test("ensure() shares one call among all who ask for a room at once", async () => {
  const { rooms, calls } = createWorld();
  let ended = 0;
  const all = Array.from({ length: 100 }, () => rooms.ensure(ROOM).then(() => ended++));
  const other = rooms.ensure(OTHER);
  assertEquals(calls.map(({ body }) => body.name), ["room", "other"]);
  calls[1]!.succeed();
  await other;
  assertEquals(ended, 0);
  calls[0]!.succeed();
  await Promise.all(all);
  assertEquals(ended, 100);
});

Deno.test("ensure() remembers a room for two seconds after its creation", async () => {
  const { rooms, calls, clock } = createWorld();
  const ensured = rooms.ensure(ROOM);
  clock.advance(4_000);
  calls[0]!.succeed();
  await ensured;
  clock.advance(1_999);
  await rooms.ensure(ROOM);
  assertEquals(calls.length, 1);
  clock.advance(1);
  rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
});

Deno.test("ensure() fails for all who wait, and asks again for the next", async () => {
  const { rooms, calls } = createWorld();
  const waiting = [rooms.ensure(ROOM), rooms.ensure(ROOM)];
  calls[0]!.fail(new SfuError("tcp", "refused"));
  for (const promise of waiting) await assertRejects(() => promise, SfuError, "refused");
  const again = rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
  calls[1]!.succeed();
  await again;
});

Deno.test("forget() makes the next ensure() ask again", async () => {
  const { rooms, calls, clock } = createWorld();
  const first = rooms.ensure(ROOM);
  calls[0]!.succeed();
  await first;
  rooms.forget("room");
  rooms.forget("never heard of");
  const second = rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
  calls[1]!.succeed();
  await second;
  // The first creation's two seconds must not end the second one's.
  clock.advance(1_000);
  await rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
});

Deno.test("forget() while a room is being created starts another creation, which stays known", async () => {
  const { rooms, calls, clock } = createWorld();
  const first = rooms.ensure(ROOM);
  rooms.forget("room");
  const second = rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
  calls[0]!.succeed();
  await first;
  clock.advance(2_000);
  // The first one's end, and its two seconds, say nothing about the second.
  const third = rooms.ensure(ROOM);
  assertEquals(calls.length, 2);
  calls[1]!.fail(new SfuError("http", "silence"));
  await assertRejects(() => second, SfuError);
  await assertRejects(() => third, SfuError);
});

Deno.test("ensure() keeps nothing of rooms that are over", async () => {
  const { rooms, calls, clock } = createWorld();
  for (let i = 0; i < 100; i++) {
    const ensured = rooms.ensure(`room ${i}` as LiveKitRoom);
    calls[i]!.succeed();
    await ensured;
  }
  assertEquals(clock.pending.length, 100);
  clock.advance(2_000);
  assertEquals(clock.pending.length, 0);
});
