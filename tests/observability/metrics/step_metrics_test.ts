import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { StepMetrics } from "../../../lib/observability/metrics/step_metrics.ts";
import type { StepFacts } from "../../../lib/observability/steps.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { countedIn, samplesOf } from "./support.ts";

function createWorld() {
  const clock = createManualClock(Date.UTC(2026, 10, 24));
  const steps = new StepMetrics({ clock, isOwn: (name) => name === "own.example" });
  const end = (kind: "server" | "client", name: string, known: StepFacts, ms = 0) => {
    const facts: StepFacts = {};
    return steps.watch({ kind, name }, facts, () => {
      clock.advance(ms);
      Object.assign(facts, known);
      return Promise.resolve("result");
    });
  };
  return {
    clock,
    steps,
    answer: (name: string, facts: StepFacts, ms?: number) =>
      end("server", name, { method: "POST", status: 200, ...facts }, ms),
    call: (name: string, status: number, ms?: number) => end("client", name, { status }, ms),
    /** What is not 0, without the common beginning of the names. */
    counted: () =>
      Object.fromEntries(
        Object.entries(countedIn(steps.metrics)).map(([name, value]) => [
          name.replace("matrixrtc_auth_", ""),
          value,
        ]),
      ),
  };
}

Deno.test("StepMetrics counts a request and how long it took", async () => {
  const { answer, counted } = createWorld();
  assertEquals(
    await answer("/get_token", { access: "full", server: "own.example" }, 250),
    "result",
  );
  assertEquals(counted(), {
    'requests_total{endpoint="/get_token",result="ok",access="full"}': 1,
    'request_duration_seconds_sum{endpoint="/get_token"}': 0.25,
    'request_duration_seconds_count{endpoint="/get_token"}': 1,
  });
});

for (
  const { status, hop, result } of [
    { status: 200, result: "ok" },
    { status: 400, result: "bad_request" },
    { status: 401, result: "unauthorized" },
    { status: 403, result: "forbidden" },
    { status: 404, result: "not_found" },
    { status: 405, result: "bad_request" },
    { status: 413, result: "bad_request" },
    { status: 429, result: "limited" },
    { status: 500, result: "error" },
    { status: 500, hop: "tcp", result: "upstream" },
    { status: 502, result: "upstream" },
    { status: 503, result: "unavailable" },
  ]
) {
  Deno.test(`StepMetrics calls ${status}${hop ? ` with hop ${hop}` : ""} ${result}`, async () => {
    const { answer, counted } = createWorld();
    await answer("/readyz", { status, ...(hop && { hop }) });
    assertEquals(
      counted()[`requests_total{endpoint="/readyz",result="${result}",access="none"}`],
      1,
    );
  });
}

Deno.test("StepMetrics leaves out preflights", async () => {
  const { answer, counted } = createWorld();
  await answer("/get_token", { method: "OPTIONS" });
  await answer("/sfu_webhook", { method: "OPTIONS" });
  assertEquals(counted(), {});
});

Deno.test("StepMetrics knows how many requests are in work", async () => {
  const { counted, steps } = createWorld();
  const { promise, resolve } = Promise.withResolvers<void>();
  const step = { kind: "server", name: "/get_token" } as const;
  const answering = steps.watch(step, {}, () => promise);
  assertEquals(counted(), { requests_in_work: 1 });
  resolve();
  await answering;
  assertEquals(counted().requests_in_work, undefined);
});

Deno.test("StepMetrics tells the operator's own homeservers from others", async () => {
  const { answer, counted } = createWorld();
  await answer("/get_token", { status: 401, hop: "tls", server: "own.example" });
  await answer("/sfu/get", { status: 401, hop: "dns", server: "other.example" });
  await answer("/delegate_delayed_leave", { status: 401, server: "other.example" });
  // A wrong hs_token or webhook key is nobody's homeserver.
  await answer("/_matrix/app/ping", { status: 401 });
  await answer("/sfu_webhook", { status: 401 });
  const failures = Object.keys(counted()).filter((name) => name.startsWith("verification"));
  assertEquals(failures, [
    'verification_failures_total{hop="dns",server="remote"}',
    'verification_failures_total{hop="tls",server="own"}',
    'verification_failures_total{hop="other",server="remote"}',
  ]);
});

Deno.test("StepMetrics tells whose limit a request has met", async () => {
  const { answer, counted } = createWorld();
  await answer("/get_token", { status: 429, limited: "client" });
  await answer("/get_token", { status: 429, limited: "server" });
  await answer("/get_token", { status: 429 });
  assertEquals(Object.keys(counted()).filter((name) => name.startsWith("rate_limited")), [
    'rate_limited_total{by="client"}',
    'rate_limited_total{by="server"}',
    'rate_limited_total{by="user"}',
  ]);
});

Deno.test("StepMetrics counts webhooks by what became of them", async () => {
  const { answer, clock, counted } = createWorld();
  const path = "/sfu_webhook";
  const lastReceived = () => counted().webhook_last_received_timestamp_seconds;
  await answer(path, { status: 401 });
  await answer(path, { status: 503, lagSeconds: 100 });
  await answer(path, { method: "GET", status: 405 });
  assertEquals(lastReceived(), undefined);
  await answer(path, { lagSeconds: 3 });
  clock.advance(60_000);
  await answer(path, {});
  assertEquals(lastReceived(), Date.UTC(2026, 10, 24, 0, 1) / 1000);
  const { webhook_lag_seconds_sum: sum, webhook_lag_seconds_count: count } = counted();
  assertEquals([sum, count], [3, 1]);
  assertEquals(
    Object.entries(counted()).filter(([name]) => name.startsWith("webhooks_total")),
    [
      ['webhooks_total{result="received"}', 2],
      ['webhooks_total{result="rejected"}', 1],
      ['webhooks_total{result="failed"}', 1],
    ],
  );
});

for (
  const { call, status, isFailure } of [
    { call: "userinfo", status: 200, isFailure: false },
    { call: "userinfo", status: 401, isFailure: false },
    { call: "userinfo", status: 404, isFailure: true },
    { call: "userinfo", status: 502, isFailure: true },
    { call: "well_known", status: 404, isFailure: false },
    { call: "CreateRoom", status: 401, isFailure: true },
    { call: "CreateRoom", status: 404, isFailure: true },
    { call: "ListParticipants", status: 404, isFailure: false },
    { call: "ListParticipants", status: 401, isFailure: true },
    { call: "restart", status: 404, isFailure: false },
    { call: "restart", status: 401, isFailure: true },
    { call: "send", status: 503, isFailure: true },
    { call: "send", status: 429, isFailure: false },
    { call: "fed_proxy", status: 403, isFailure: false },
  ]
) {
  Deno.test(`StepMetrics takes ${status} of ${call} for ${isFailure ? "a failure" : "an answer"}`, async () => {
    const world = createWorld();
    await world.call(call, status, 500);
    const counted = world.counted();
    assertEquals(counted[`upstream_duration_seconds_sum{call="${call}"}`], 0.5);
    assertEquals(
      counted[`upstream_failures_total{call="${call}",hop="answer"}`],
      isFailure ? 1 : undefined,
    );
    assertEquals(
      counted[`upstream_limited_total{call="${call}"}`],
      status === 429 ? 1 : undefined,
    );
  });
}

Deno.test("StepMetrics counts a call that gets no answer by its hop, and passes the error on", async () => {
  const { counted, steps } = createWorld();
  const fail = (error: unknown) =>
    steps.watch({ kind: "client", name: "send" }, {}, () => Promise.reject(error));
  await assertRejects(() => fail(new UpstreamError("tls", "no certificate")), UpstreamError);
  await assertRejects(() => fail(new TypeError("a bug")), TypeError);
  assertEquals(counted()['upstream_failures_total{call="send",hop="tls"}'], 1);
  assertEquals(counted()['upstream_failures_total{call="send",hop="other"}'], 1);
});

Deno.test("StepMetrics counts a request whose handling breaks as an error", async () => {
  const { counted, steps } = createWorld();
  const step = { kind: "server", name: "/get_token" } as const;
  await assertRejects(
    () => steps.watch(step, {}, () => Promise.reject(new Error("a bug"))),
    Error,
    "a bug",
  );
  assertEquals(
    counted()['requests_total{endpoint="/get_token",result="error",access="none"}'],
    1,
  );
});

Deno.test("StepMetrics counts participants that were removed", async () => {
  const { call, counted } = createWorld();
  await call("RemoveParticipant", 200);
  await call("RemoveParticipant", 404);
  assertEquals(counted().membership_removals_total, 1);
});

Deno.test("StepMetrics has no more series, whatever comes from outside", async () => {
  const { answer, call, steps } = createWorld();
  const text = fc.string({ unit: "binary" });
  const fact = fc.oneof(text, fc.integer());
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.record({ method: text, status: fc.integer(), access: fact, hop: fact, limited: fact }),
      fc.record({ server: fact, lagSeconds: fact }),
      async (name, facts, more) => {
        await answer(name, { ...facts, ...more });
        await answer("/get_token", { ...facts, ...more, status: 401 });
        await call(name, Number(facts.status));
      },
    ),
    { numRuns: 500 },
  );
  const samples = samplesOf(steps.metrics.map((metric) => metric.render()).join(""));
  const requests = [...samples.keys()].filter((name) => name.includes("_requests_total"));
  // One unknown endpoint and one known, the results there are.
  assertEquals(requests.length <= 20, true, requests.join("\n"));
  const pattern = /^matrixrtc_auth_[a-z_]+(\{([a-z]+="[\w./+]+",?)*\})?$/;
  assertEquals([...samples.keys()].filter((name) => !pattern.test(name)), []);
});
