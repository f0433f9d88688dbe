import { assertEquals, assertRejects } from "@std/assert";
import { createRoomLook } from "../../../lib/delayed_leave/sfu/room_look.ts";
import { createFindMembers } from "../../../lib/delayed_leave/sfu/room_members.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createRoomsOfSfu, identity, pass, REFUSED, room, settle } from "./sfu_world.ts";

function createWorld() {
  const clock = createManualClock();
  const sfu = createRoomsOfSfu(clock);
  const settings: { refuse: () => Error | undefined } = { refuse: () => undefined };
  const lookInto = createRoomLook({
    participants: sfu,
    findMembers: createFindMembers(sfu, clock),
    clock,
    refuse: () => settings.refuse(),
  });
  return {
    clock,
    settings,
    sfu,
    look: (name: string, ...identities: string[]) => lookInto(room(name), identities.map(identity)),
    pass: (ms: number) => pass(clock, ms),
  };
}

Deno.test("createRoomLook() asks for one job's participant by name", async () => {
  const { look, pass, sfu } = createWorld();
  const sid = sfu.join("call", "alice");
  const looking = look("call", "alice", "other");
  await pass(10);
  assertEquals(await looking, { identity: "alice", sid });
  assertEquals(sfu.looks(), ["find call alice"]);
});

Deno.test("createRoomLook() asks for the other identity when the first is not there", async () => {
  const { look, pass, sfu } = createWorld();
  const sid = sfu.join("call", "other");
  const looking = [look("call", "alice", "other"), look("empty", "alice", "other")];
  await pass(10);
  assertEquals(await Promise.all(looking), [{ identity: "other", sid }, undefined]);
  assertEquals(sfu.looks(), [
    "find call alice",
    "find empty alice",
    "find call other",
    "find empty other",
  ]);
});

Deno.test("createRoomLook() makes one list of the questions that come within 10 ms", async () => {
  const { look, pass, sfu } = createWorld();
  const [alice, other] = [sfu.join("call", "alice"), sfu.join("call", "other")];
  const first = look("call", "alice");
  await pass(9);
  const second = look("call", "bob", "other");
  const third = look("call", "carol");
  await pass(1);
  assertEquals(await Promise.all([first, second, third]), [
    { identity: "alice", sid: alice },
    { identity: "other", sid: other },
    undefined,
  ]);
  assertEquals(sfu.looks(), ["list call"]);
});

Deno.test("createRoomLook() asks anew for whoever comes while a call is under way", async () => {
  const { look, pass, sfu } = createWorld();
  const answer = Promise.withResolvers<void>();
  sfu.hold = () => answer.promise;
  const first = look("call", "alice");
  await pass(10);
  const sid = sfu.join("call", "alice");
  const second = look("call", "alice");
  await pass(10);
  answer.resolve();
  assertEquals(await Promise.all([first, second]), [undefined, { identity: "alice", sid }]);
  assertEquals(sfu.looks(), ["find call alice", "find call alice"]);
});

Deno.test("createRoomLook() fails for all who share a call", async () => {
  const { look, pass, sfu } = createWorld();
  sfu.fail = () => {
    throw REFUSED;
  };
  const failures = [look("call", "alice"), look("call", "bob"), look("other", "alice")]
    .map((looking) => assertRejects(() => looking, SfuError, "refused"));
  await pass(10);
  await Promise.all(failures);
});

Deno.test("createRoomLook() has 32 calls under way and no more; later ones may be refused", async () => {
  const { look, pass, settings, sfu } = createWorld();
  const answers: (() => void)[] = [];
  sfu.hold = () => new Promise((resolve) => answers.push(resolve));
  const looking = Array.from({ length: 40 }, (_, i) => look(`call ${i}`, "alice"));
  await pass(10);
  assertEquals(sfu.looks().length, 32);
  // Who asks for a room whose turn has not come shares its call.
  const late = look("call 39", "bob");
  answers.shift()!();
  assertEquals(await looking[0], undefined);
  await settle();
  assertEquals(sfu.looks().length, 33);
  const refusal = new SfuError("load", "no use");
  settings.refuse = () => refusal;
  const refused = [...looking.slice(33), late].map((looking) =>
    assertRejects(() => looking, SfuError, "no use")
  );
  while (answers.length > 0) answers.shift()!();
  await Promise.all(refused);
  await Promise.all(looking.slice(0, 33));
  assertEquals(sfu.looks().length, 33);
});
