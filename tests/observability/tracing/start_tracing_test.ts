// Tracing as main.ts starts it: over sockets, with the client that all else goes through.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { watchedBy } from "../../../lib/observability/steps.ts";
import { startTracing, type Tracing } from "../../../lib/observability/tracing/start_tracing.ts";
import { type OtlpCollector, startOtlpCollector } from "../../fakes/otlp_collector.ts";
import { startClient, type TestClientOptions } from "../../net/fixtures.ts";
import { captureLog } from "../../support/captured_log.ts";
import { createManualClock, type ManualClock } from "../../support/manual_clock.ts";
import { createTestCa, type TestCertificate } from "../../support/test_ca.ts";

interface World extends AsyncDisposable {
  readonly collector: OtlpCollector;
  readonly tracing: Tracing;
  readonly clock: ManualClock;
  readonly logText: () => Promise<string>;
  /** Makes one trace of two spans. */
  request(): Promise<void>;
}

async function start(
  { tls, ...client }: TestClientOptions & { tls?: TestCertificate } = {},
): Promise<World> {
  const collector = startOtlpCollector(tls && { tls });
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const outgoing = startClient(client);
  const tracing = await startTracing({
    url: `${collector.url}/v1/traces`,
    headers: new Map(),
    serviceName: "calls-auth",
    sampleRatio: 1,
  }, {
    clock,
    client: outgoing,
    random: () => 1,
    fillRandom: (bytes) => void crypto.getRandomValues(bytes),
    log,
  });
  const runStep = watchedBy([tracing.watcher]);
  return {
    collector,
    tracing,
    clock,
    logText,
    request: () =>
      runStep({ kind: "server", name: "/get_token" }, async (facts) => {
        await runStep({ kind: "client", name: "userinfo" }, () => Promise.resolve());
        Object.assign(facts, { method: "POST", status: 200 });
      }),
    async [Symbol.asyncDispose]() {
      await outgoing.close();
      await collector.close();
    },
  };
}

Deno.test("spans arrive five seconds later, with the name of the service", async () => {
  await using world = await start();
  const { collector, clock } = world;
  await world.request();
  clock.advance(4_999);
  assertEquals(collector.requests.length, 0);
  clock.advance(1);
  await collector.collected(2);
  assertEquals(collector.faults, []);
  assertEquals(collector.spans.map(({ name }) => name), ["userinfo", "POST /get_token"]);
  assertEquals(collector.spans[0]?.resource["service.name"], "calls-auth");
});

for (const status of [429, 503]) {
  Deno.test(`a collector that says ${status} gets the same spans again`, async () => {
    await using world = await start();
    const { collector, clock } = world;
    collector.settings.respond = () => {
      delete collector.settings.respond;
      return new Response(null, { status, headers: { "retry-after": "3" } });
    };
    await world.request();
    clock.advance(5_000);
    await clock.waitForTimer(3_000);
    assertStringIncludes(await world.logText(), `it says HTTP ${status}`);
    clock.advance(3_000);
    await collector.collected(2);
    assertEquals(collector.bodies[0], collector.bodies[1]);
    assertEquals(collector.faults, []);
  });
}

Deno.test("a collector that says 500 does not get the same spans again", async () => {
  await using world = await start();
  const { collector, clock, tracing } = world;
  collector.settings.respond = () => new Response(null, { status: 500 });
  await world.request();
  await tracing.flush(1_000);
  assertEquals(collector.requests.length, 1);
  assertStringIncludes(await world.logText(), "2 spans of traces did not get to");
  clock.advance(60_000);
  assertEquals(collector.requests.length, 1);
});

Deno.test("a collector behind TLS has to have a trusted certificate", async () => {
  const ca = await createTestCa();
  const tls = await ca.issue(["127.0.0.1"]);
  await using trusted = await start({ tls, ca: [ca.pem] });
  await trusted.request();
  await trusted.tracing.flush(1_000);
  assertEquals(trusted.collector.spans.length, 2);

  await using foreign = await start({ tls });
  await foreign.request();
  await foreign.tracing.flush(1_000);
  assertEquals(foreign.collector.requests.length, 0);
  assertStringIncludes(await foreign.logText(), "traces do not get to https://127.0.0.1");
});

Deno.test("a flood takes no more room than there is", async () => {
  await using world = await start();
  const { collector, tracing } = world;
  const release = Promise.withResolvers<undefined>();
  collector.settings.respond = () => release.promise;
  for (let i = 0; i < 5_000; i++) await world.request();
  release.resolve(undefined);
  await tracing.flush(30_000);
  // One batch on its way, and what may wait.
  assertEquals(collector.spans.length, 512 + 2_048);
  assertEquals(collector.faults, []);
  assertStringIncludes(await world.logText(), `${10_000 - 512 - 2_048} spans of traces were lost`);
});

Deno.test("timers that are shared keep apart who has set them", async () => {
  await using world = await start();
  const { collector, clock, tracing } = world;
  const runStep = watchedBy([tracing.watcher]);
  const call = (name: string) => void runStep({ kind: "client", name }, () => Promise.resolve());
  tracing.clock.after(1_000, () => call("a poll"));
  await runStep({ kind: "server", name: "/get_token" }, async (facts) => {
    Object.assign(facts, { method: "POST", status: 200 });
    tracing.clock.after(1_000, () => call("a retry"));
    // Both fall due within the request.
    clock.advance(1_000);
    await Promise.resolve();
  });
  await tracing.flush(1_000);
  const names = collector.spans.map(({ name }) => name);
  assert(names.includes("a retry") && !names.includes("a poll"), names.join());
});
