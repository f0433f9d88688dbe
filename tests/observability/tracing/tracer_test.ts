import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertRejects } from "@std/assert";
import { withDeadline } from "../../../lib/deadline.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import { type RunStep, watchedBy } from "../../../lib/observability/steps.ts";
import type { Span } from "../../../lib/observability/tracing/span.ts";
import { createTracer, type OpenRequest } from "../../../lib/observability/tracing/tracer.ts";
import { createManualClock } from "../../support/manual_clock.ts";

const NOW = Date.UTC(2026, 0, 1);

function createWorld(sampleRatio = 1) {
  const clock = createManualClock(NOW);
  const spans: Span[] = [];
  let count = 0;
  const next = (length: number) => (++count).toString(16).padStart(length, "0");
  const context = new AsyncLocalStorage<OpenRequest>();
  const tracer = createTracer({
    clock,
    sampleRatio,
    ids: { traceId: () => next(32), spanId: () => next(16) },
    context,
    take: (span) => void spans.push(span),
  });
  const runStep = watchedBy([tracer]);
  const named = (name: string) => spans.find((span) => span.name === name);
  return { clock, spans, runStep, named };
}

function request<T>(runStep: RunStep, action: () => Promise<T>, name = "/get_token"): Promise<T> {
  return runStep({ kind: "server", name }, async (facts) => {
    facts.method = "POST";
    facts.status = 200;
    return await action();
  });
}

function call<T>(runStep: RunStep, name: string, action: () => Promise<T>): Promise<T> {
  return runStep({ kind: "client", name }, action);
}

const nothing = () => Promise.resolve();

Deno.test("a call is a child of its request, and lies within it", async () => {
  const { clock, runStep, named } = createWorld();
  await request(runStep, async () => {
    clock.advance(5);
    await call(runStep, "userinfo", () => {
      // Whoever sets the clock must not turn traces inside out.
      clock.setNow(0);
      clock.advance(10);
      return Promise.resolve();
    });
    clock.advance(1);
  });
  const [root, child] = [named("POST /get_token"), named("userinfo")];
  assertEquals([root?.startedAt, root?.endedAt], [NOW, NOW + 16]);
  assertEquals([child?.startedAt, child?.endedAt], [NOW + 5, NOW + 15]);
  assertEquals([child?.traceId, child?.parentSpanId], [root?.traceId, root?.spanId]);
});

Deno.test("calls outside of requests make no spans", async () => {
  const { spans, runStep } = createWorld();
  await call(runStep, "ListParticipants", nothing);
  assertEquals(spans, []);
});

Deno.test("what a request has left running makes no spans once it has ended", async () => {
  const { spans, runStep } = createWorld();
  const later = Promise.withResolvers<void>();
  let left: Promise<void> | undefined;
  await request(runStep, () => {
    left = later.promise.then(() => call(runStep, "ListParticipants", nothing));
    return Promise.resolve();
  });
  later.resolve();
  await left;
  assertEquals(spans.length, 1);
});

Deno.test("restarts and leaves belong to no request, whoever has set them off", async () => {
  const { spans, runStep } = createWorld();
  await request(runStep, async () => {
    await call(runStep, "restart", nothing);
    await call(runStep, "send", nothing);
  });
  assertEquals(spans.length, 1);
});

Deno.test("a call that several requests share belongs to the one that began it", async () => {
  const { clock, spans, runStep } = createWorld();
  const answer = Promise.withResolvers<void>();
  let shared: Promise<void> | undefined;
  const ensure = () => shared ??= call(runStep, "CreateRoom", () => answer.promise);
  const late = () => new RangeError("late");
  const requests = ["/get_token", "/sfu/get"].map((name) =>
    request(runStep, async () => {
      await withDeadline(ensure(), 1_000, clock, late);
      await call(runStep, `after ${name}`, nothing);
    }, name)
  );
  answer.resolve();
  await Promise.all(requests);
  const of = (name: string) => spans.find((span) => span.name === name);
  assertEquals(of("CreateRoom")?.traceId, of("POST /get_token")?.traceId);
  // Whoever has waited for another's call goes on in its own trace.
  assertEquals(of("after /sfu/get")?.parentSpanId, of("POST /sfu/get")?.spanId);
  assertEquals(spans.length, 5);
});

Deno.test("a deadline that passes leaves each in its own trace", async () => {
  const { clock, runStep, named } = createWorld();
  const late = () => new UpstreamError("http", "late");
  const waiting = request(runStep, async () => {
    await assertRejects(
      () => withDeadline(new Promise(() => {}), 1_000, clock, late),
      UpstreamError,
    );
    await call(runStep, "after", nothing);
  });
  // Another request moves the clock, so the deadline fires within it.
  await request(runStep, async () => {
    clock.advance(1_000);
    await waiting;
  }, "/sfu/get");
  assertEquals(named("after")?.parentSpanId, named("POST /get_token")?.spanId);
});

Deno.test("a failed call is marked with its hop, or its status", async () => {
  const { runStep, named } = createWorld();
  await request(runStep, async () => {
    const refused = () => Promise.reject(new UpstreamError("tcp", "refused by hunter2"));
    await assertRejects(() => call(runStep, "userinfo", refused), UpstreamError);
    await assertRejects(
      () => call(runStep, "bug", () => Promise.reject(new TypeError("x"))),
      TypeError,
    );
    await runStep({ kind: "client", name: "CreateRoom" }, (facts) => {
      Object.assign(facts, { status: 503, server: "[::1]:7880", method: "POST" });
      return Promise.resolve();
    });
  });
  assertEquals([named("userinfo")?.hasFailed, named("bug")?.hasFailed], [true, true]);
  assertEquals(named("userinfo")?.attributes["error.type"], "tcp");
  assertEquals(named("bug")?.attributes["error.type"], "_OTHER");
  assertEquals(named("CreateRoom")?.attributes, {
    "http.request.method": "POST",
    "server.address": "::1",
    "server.port": 7880,
    "http.response.status_code": 503,
    "error.type": "503",
  });
  assertEquals(named("CreateRoom")?.hasFailed, true);
});

Deno.test("of what is known of a request only what is harmless goes into its span", async () => {
  const { runStep, spans } = createWorld();
  await runStep({ kind: "server", name: "other" }, (facts) => {
    Object.assign(facts, { method: "HUNTER2", status: 500, hop: "dns", access: "full" });
    Object.assign(facts, { request: "abc", user: "@a:b", room: "!room", server: "b", delay: "x" });
    return Promise.resolve();
  });
  assertEquals(spans[0]?.name, "HTTP");
  assertEquals(spans[0]?.hasFailed, true);
  assertEquals(spans[0]?.attributes, {
    "http.request.method": "_OTHER",
    "http.route": undefined,
    "http.response.status_code": 500,
    "error.type": "dns",
    "matrixrtc.access": "full",
    "matrixrtc.request_id": "abc",
  });
});

Deno.test("probes make no traces", async () => {
  const { spans, runStep } = createWorld();
  for (const name of ["/healthz", "/readyz"]) {
    await request(runStep, () => call(runStep, "ListRooms", nothing), name);
  }
  assertEquals(spans, []);
});

Deno.test("a request that is not sampled makes no spans at all", async () => {
  const { spans, runStep } = createWorld(0.001);
  // The IDs of these tests count from 1, and small ones are not in a small share.
  await request(runStep, () => call(runStep, "userinfo", nothing));
  assertEquals(spans, []);
});
