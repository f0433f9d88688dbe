import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RedisOutage } from "../../../lib/delayed_leave/stores/redis_outage.ts";
import { StoreError } from "../../../lib/delayed_leave/store.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock } from "../../support/manual_clock.ts";

async function createOutage() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  return { clock, logText, outage: new RedisOutage(clock, log) };
}

Deno.test("RedisOutage: who comes while it is young waits for its end", async () => {
  const { clock, outage } = await createOutage();
  await outage.waitForEnd(3_000);
  outage.begin(new StoreError("tcp", "broken"));
  clock.advance(2_999);
  const waiting = outage.waitForEnd(3_000);
  assertEquals(outage.end(), true);
  await waiting;
  assertEquals([outage.error, outage.end()], [undefined, false]);
});

Deno.test("RedisOutage: it gets old, for those who wait and those who come", async () => {
  const { clock, outage } = await createOutage();
  const error = new StoreError("tcp", "broken");
  outage.begin(error);
  const waiting = assertRejects(() => outage.waitForEnd(3_000), StoreError, "broken");
  clock.advance(3_000);
  await waiting;
  await assertRejects(() => outage.waitForEnd(3_000), StoreError, "broken");
  assertEquals(clock.pending, []);
  assertEquals(outage.error, error);
});

Deno.test("RedisOutage: however much fails, the log has one line, and one of the end", async () => {
  const { clock, outage, logText } = await createOutage();
  outage.begin(new StoreError("tcp", "broken"));
  outage.begin(new TypeError("something else"));
  clock.advance(1_500);
  outage.end();
  outage.end();
  const lines = (await logText()).trim().split("\n");
  assertEquals(lines.length, 2);
  assertStringIncludes(lines[0]!, "WARNING Redis cannot be used, jobs go on without: broken");
  assertStringIncludes(lines[1]!, "Redis can be used again ms=1500");
});
