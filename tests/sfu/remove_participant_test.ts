import { assertEquals, assertRejects } from "@std/assert";
import { createRemoveParticipant } from "../../lib/sfu/remove_participant.ts";
import { SfuError, type TwirpCall } from "../../lib/sfu/twirp.ts";

/** The call, and an SFU that answers as told. */
function createWorld(error?: Error) {
  const calls: TwirpCall[] = [];
  const remove = createRemoveParticipant((call) => {
    calls.push(call);
    return error === undefined ? Promise.resolve({}) : Promise.reject(error);
  });
  return { calls, remove };
}

Deno.test("removeParticipant() asks as the administrator of that very room", async () => {
  const { calls, remove } = createWorld();
  await remove("call", "alice");
  assertEquals(calls, [{
    method: "RemoveParticipant",
    grant: { roomAdmin: "call" },
    body: { room: "call", identity: "alice" },
  }]);
});

Deno.test("removeParticipant() is content when LiveKit says that nobody is there", async () => {
  const { calls, remove } = createWorld(
    new SfuError("answer", "no participant", { twirpCode: "not_found" }),
  );
  await remove("call", "alice");
  assertEquals(calls.length, 1);
});

for (
  const { name, error } of [
    { name: "a proxy's 404", error: new SfuError("answer", "no page", { status: 404 }) },
    { name: "a refusal", error: new SfuError("answer", "no", { twirpCode: "unauthenticated" }) },
    { name: "an SFU that is away", error: new SfuError("tcp", "refused") },
  ]
) {
  Deno.test(`removeParticipant() fails for ${name}`, async () => {
    const { remove } = createWorld(error);
    const thrown = await assertRejects(() => remove("call", "alice"), SfuError);
    assertEquals(thrown, error);
  });
}
