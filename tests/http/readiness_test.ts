import { assertEquals, assertStringIncludes } from "@std/assert";
import { createReadinessEndpoint } from "../../lib/http/readiness.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

async function createWorld(checks: Record<string, () => Promise<void>>) {
  const clock = createManualClock();
  const { log, logText } = await captureLog({
    level: "info",
    format: "text",
    clock,
  });
  const endpoint = createReadinessEndpoint({ checks, log, clock });
  const ask = async () => {
    const context = { requestId: "id", route: "/readyz", facts: {} };
    const { status, contentType, body } = await endpoint(new Request("http://a/readyz"), context);
    return { status, contentType, body: JSON.parse(body!) };
  };
  return {
    clock,
    ask,
    logText,
  };
}

Deno.test("createReadinessEndpoint() is ready when all checks pass", async () => {
  const { ask, logText } = await createWorld({
    sfu: () => Promise.resolve(),
    store: () => Promise.resolve(),
  });
  assertEquals(await ask(), {
    status: 200,
    contentType: "application/json",
    body: { status: "ready", checks: { sfu: "ok", store: "ok" } },
  });
  assertEquals(await logText(), "");
});

Deno.test("createReadinessEndpoint() is not ready when one fails, and tells the log why", async () => {
  const { ask, logText } = await createWorld({
    sfu: () => Promise.reject(new Error("refused by 10.0.0.1")),
    store: () => Promise.resolve(),
  });
  const { status, body } = await ask();
  assertEquals([status, body], [
    503,
    { status: "not ready", checks: { sfu: "failed", store: "ok" } },
  ]);
  const line = await logText();
  assertStringIncludes(line, "WARNING not ready: refused by 10.0.0.1 check=sfu");
});

Deno.test("createReadinessEndpoint() takes a check that throws at once for failed", async () => {
  const { ask } = await createWorld({
    sfu: () => {
      throw new TypeError("bug");
    },
  });
  assertEquals((await ask()).body.checks, { sfu: "failed" });
});

Deno.test("createReadinessEndpoint() asks again after five seconds, not before", async () => {
  let asked = 0;
  let works = true;
  const { ask, clock } = await createWorld({
    sfu: () => {
      asked++;
      return works ? Promise.resolve() : Promise.reject(new Error("down"));
    },
  });
  await Promise.all([ask(), ask(), ask()]);
  works = false;
  clock.advance(4_999);
  assertEquals([(await ask()).status, asked], [200, 1]);
  clock.advance(1);
  assertEquals([(await ask()).status, asked], [503, 2]);
  works = true;
  clock.advance(4_999);
  assertEquals([(await ask()).status, asked], [503, 2]);
  clock.advance(1);
  assertEquals([(await ask()).status, asked], [200, 3]);
});
