import { assertEquals } from "@std/assert";
import { RoomSample } from "../../../lib/delayed_leave/sfu/room_sample.ts";
import { WatchedJobsByRoom } from "../../../lib/delayed_leave/watched_jobs.ts";
import { createJob } from "./sfu_world.ts";

/** A sample of the rooms `a`, `b` …, and what looks at them. */
function createWorld(count: number, seenAt = -Infinity) {
  const jobs = new WatchedJobsByRoom();
  const names = Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));
  const watched = new Map(names.map((name) => [name, createJob(name, "alice", { seenAt })]));
  for (const job of watched.values()) jobs.add(job);
  const sample = new RoomSample(jobs);
  /** `a2` is a room `a` with two participants; a different first letter of `sid` another room. */
  const look = (rooms: string, { now = 0, sid = "RM" } = {}) => {
    const chosen = sample.choose();
    const found = rooms.split(" ").filter((room) => room !== "").map((room) => ({
      name: room[0]!,
      sid: `${sid}_${room[0]}`,
      numParticipants: Number(room.slice(1)),
    }));
    return sample.compare(found.filter(({ name }) => chosen.some((room) => room === name)), now);
  };
  return { jobs, look, sample, watched };
}

Deno.test("RoomSample notices that all rooms with participants are gone", () => {
  const { look } = createWorld(3);
  assertEquals(look("a2 b1 c0"), false);
  assertEquals(look("c0"), true);
  assertEquals(look("c0"), false);
});

Deno.test("RoomSample takes rooms of the same names for others by their SID", () => {
  const { look } = createWorld(2);
  look("a2 b1");
  assertEquals(look("a0 b1", { sid: "ANEW" }), true);
});

Deno.test("RoomSample lets one surviving room vouch for the SFU", () => {
  const { look } = createWorld(3);
  look("a2 b1 c1");
  assertEquals(look("b1"), false);
  assertEquals(look(""), true);
});

Deno.test("RoomSample takes a room for inhabited whose participant was seen a moment ago", () => {
  for (const [seenAt, isLost] of [[0, true], [-10_000, false]] as const) {
    const { look } = createWorld(1, seenAt);
    look("a0");
    assertEquals(look("", { now: 2_000 }), isLost);
  }
});

Deno.test("RoomSample does not miss rooms that nobody watches any more, or that were closed", () => {
  const { jobs, look, sample, watched } = createWorld(2);
  look("a1 b1");
  jobs.remove(watched.get("a")!);
  sample.onFinished("b");
  assertEquals(look(""), false);
  const other = createWorld(1);
  other.look("a1");
  other.sample.reset();
  assertEquals(other.look(""), false);
});

Deno.test("RoomSample chooses all rooms of a few, each once, and 20 of many in turn", () => {
  const few = createWorld(3).sample;
  for (let i = 0; i < 3; i++) assertEquals([...few.choose()].sort(), ["a", "b", "c"]);
  const { sample } = createWorld(26);
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const chosen = sample.choose();
    assertEquals([chosen.length, new Set(chosen).size], [20, 20]);
    for (const room of chosen) seen.add(room);
  }
  assertEquals(seen.size, 26);
});

Deno.test("RoomSample chooses nothing where there is nothing, and learns of later rooms", () => {
  const { jobs, sample } = createWorld(0);
  assertEquals(sample.choose(), []);
  jobs.add(createJob("late", "alice"));
  assertEquals(sample.choose().map(String), ["late"]);
});
