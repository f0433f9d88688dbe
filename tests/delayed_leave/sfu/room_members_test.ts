import { assertEquals, assertRejects } from "@std/assert";
import { createFindMembers } from "../../../lib/delayed_leave/sfu/room_members.ts";
import { SfuError } from "../../../lib/sfu/twirp.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createRoomsOfSfu, identity, REFUSED, room } from "./sfu_world.ts";

const NO_LISTS = new SfuError("answer", "HTTP 404", { status: 404 });

function createWorld() {
  const clock = createManualClock();
  const sfu = createRoomsOfSfu(clock);
  const findMembers = createFindMembers(sfu, clock);
  const ask = async (...identities: string[]) =>
    Object.fromEntries(await findMembers(room("call"), identities.map(identity)));
  return { ask, clock, sfu };
}

Deno.test("createFindMembers() makes one list", async () => {
  const { ask, sfu } = createWorld();
  const alice = sfu.join("call", "alice");
  assertEquals(await ask("alice", "bob"), { alice });
  assertEquals(sfu.looks(), ["list call"]);
});

Deno.test("createFindMembers() asks one by one for five minutes where there are no lists", async () => {
  const { ask, clock, sfu } = createWorld();
  const alice = sfu.join("call", "alice");
  sfu.fail = ({ method }) => {
    if (method === "list") throw NO_LISTS;
  };
  assertEquals(await ask("alice", "bob"), { alice });
  assertEquals(sfu.looks(), ["list call", "find call alice", "find call bob"]);
  clock.advance(299_999);
  assertEquals(await ask("alice"), { alice });
  assertEquals(sfu.looks().slice(3), ["find call alice"]);
  clock.advance(1);
  sfu.fail = () => {};
  assertEquals(await ask("alice"), { alice });
  assertEquals(sfu.looks().slice(4), ["list call"]);
});

Deno.test("createFindMembers() takes no other failure for a lack of lists", async () => {
  const { ask, sfu } = createWorld();
  for (const error of [REFUSED, new SfuError("answer", "no", { twirpCode: "internal" })]) {
    sfu.fail = () => {
      throw error;
    };
    await assertRejects(() => ask("alice"), SfuError);
  }
  assertEquals(sfu.looks(), ["list call", "list call"]);
});

Deno.test("createFindMembers() does not give up lists for a server that knows no calls at all", async () => {
  const { ask, sfu } = createWorld();
  sfu.fail = () => {
    throw NO_LISTS;
  };
  await assertRejects(() => ask("alice"), SfuError);
  sfu.fail = () => {};
  assertEquals(await ask("alice"), {});
  assertEquals(sfu.looks(), ["list call", "find call alice", "list call"]);
});
