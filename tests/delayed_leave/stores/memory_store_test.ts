import { assertEquals } from "@std/assert";
import { createMemoryStore } from "../../../lib/delayed_leave/stores/memory_store.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createJob, DEAF, testStore } from "../support/store_suite.ts";

testStore("createMemoryStore()", () =>
  Promise.resolve({
    clock: createManualClock(),
    open: createMemoryStore,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }));

Deno.test("createMemoryStore() answers for each change, and passes nothing on", async () => {
  const store = createMemoryStore();
  await store.start(DEAF);
  const job = createJob();
  const stored = { job, restartedAt: 0, wasConnected: false };
  assertEquals(
    await store.write([
      { kind: "put", stored },
      { kind: "update", stored },
      { kind: "remove", job },
    ]),
    ["kept", "kept", "kept"],
  );
  await store.pass({
    kind: "joined",
    room: "room",
    identity: "identity",
    reason: "UNKNOWN_REASON",
  });
  await store.close();
});
