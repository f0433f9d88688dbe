import { assertEquals, assertMatch } from "@std/assert";
import { createClientOf } from "../../lib/http/client_address.ts";
import { createClientCosts } from "../../lib/http/client_costs.ts";
import type { Endpoint, Route } from "../../lib/http/endpoint.ts";
import { createHandler } from "../../lib/http/handler.ts";
import {
  AccessTokenError,
  ForbiddenError,
  type Hop,
  LimitExceededError,
  UnauthorizedError,
  UpstreamError,
} from "../../lib/matrix/errors.ts";
import type { StepFacts } from "../../lib/observability/steps.ts";
import { createClientLimit } from "../../lib/rate_limit/client_limit.ts";
import { WindowCounter } from "../../lib/rate_limit/window_counter.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const OK: Endpoint = () => ({ status: 200, body: "{}" });
const fail = (error: unknown, server?: string): Endpoint => (_request, { facts }) => {
  if (server !== undefined) facts.server = server;
  return Promise.reject(error);
};
const NOT_OF_HOP = (hop: Hop) => new UnauthorizedError({ cause: new UpstreamError(hop, "x") });

/** A handler whose clients may cause a cost of 25 a minute. */
async function createWorld(routes: Record<string, Route>, trusted: string[] = []) {
  const clock = createManualClock();
  const { log, logText } = await captureLog({ level: "info", format: "text", clock });
  const counter = new WindowCounter({ limit: 25, windowMs: 60_000, maxKeys: 10, clock });
  const steps: StepFacts[] = [];
  const handle = createHandler({
    routes,
    log,
    nextRequestId: () => "id",
    runStep(_step, action) {
      const facts = {};
      steps.push(facts);
      return action(facts);
    },
    clients: {
      clientOf: createClientOf(trusted),
      atCostOf: createClientCosts({
        limit: createClientLimit({ counter, clock, pseudonym: (id) => `pseudonym${id.length}` }),
        isOwn: (name) => name === "own.example",
      }),
    },
  });
  const ask = (method: string, path: string, hostname = "203.0.113.7") =>
    handle(new Request(`http://service.example${path}`, { method }), {
      remoteAddr: { transport: "tcp", hostname },
    });
  /** How often a client may ask before it is told to wait. */
  const allowed = async (method: string, path: string) => {
    for (let count = 0; count < 100; count++) {
      if ((await ask(method, path)).status === 429) return count;
    }
    return Infinity;
  };
  return { clock, handle, ask, allowed, logText, steps };
}

for (
  const { name, route, method = "POST", path = "/x", times } of [
    { name: "a request costs 1", route: { POST: OK }, times: 25 },
    { name: "a page costs 1", route: { GET: OK }, method: "GET", times: 25 },
    { name: "what is not there costs 1", route: {}, path: "/y", times: 25 },
    { name: "a wrong method costs 1", route: { POST: OK }, method: "PUT", times: 25 },
    {
      name: "a wrong method of a probe costs 1",
      route: { costs: "nothing", GET: OK },
      times: 25,
    },
    { name: "a probe costs nothing", route: { costs: "nothing", GET: OK }, method: "GET" },
    {
      name: "a failing probe costs nothing",
      route: { costs: "nothing", GET: fail(new UnauthorizedError()) },
      method: "GET",
    },
    { name: "OPTIONS costs nothing", route: { POST: OK }, method: "OPTIONS" },
    {
      name: "OPTIONS costs 1 where nobody is to ask it",
      route: { callers: "servers", costs: "refusals", POST: OK },
      method: "OPTIONS",
      times: 25,
    },
    { name: "a refusal costs 1", route: { POST: fail(new ForbiddenError("no")) }, times: 25 },
    { name: "a bug costs 1", route: { POST: fail(new Error("bug")) }, times: 25 },
    { name: "a failed verification costs 10", route: { POST: fail(NOT_OF_HOP("answer")) } },
    { name: "no server to ask costs 10", route: { POST: fail(NOT_OF_HOP("dns")) } },
    { name: "a claim to be another costs 10", route: { POST: fail(new UnauthorizedError()) } },
    {
      name: "a guess at a user of the own server costs 10",
      route: { POST: fail(NOT_OF_HOP("answer"), "own.example") },
    },
    {
      name: "another server's outage costs 10",
      route: { POST: fail(NOT_OF_HOP("tcp"), "a.example") },
    },
    {
      name: "an outage of the own server costs 1",
      route: { POST: fail(NOT_OF_HOP("tcp"), "own.example") },
      times: 25,
    },
    { name: "having to wait costs 1", route: { POST: fail(NOT_OF_HOP("load")) }, times: 25 },
    { name: "authentic servers cost nothing", route: { costs: "refusals", POST: OK } },
    {
      name: "a server's authentic but failing request costs nothing",
      route: { costs: "refusals", POST: fail(new ForbiddenError("no")) },
    },
    {
      name: "a request that is not the homeserver's costs 10",
      route: {
        costs: "refusals",
        POST: fail(new AccessTokenError("M_UNKNOWN_TOKEN", "Unknown access token")),
      },
      times: 2,
    },
  ] as { name: string; route: Route; method?: string; path?: string; times?: number }[]
) {
  Deno.test(name, async () => {
    const { allowed } = await createWorld({ "/x": route });
    // The third failed request was admitted by what was left, and took more.
    const expected = times ?? (name.endsWith("10") ? 3 : Infinity);
    assertEquals(await allowed(method, path), expected);
  });
}

Deno.test("who is limited is told when to come back, in a way that browsers can read", async () => {
  const { ask, allowed, clock } = await createWorld({ "/x": { POST: OK } });
  await allowed("POST", "/x");
  clock.advance(9_500);
  const { status, headers, body } = await ask("POST", "/x");
  assertEquals([status, headers.get("retry-after")], [429, "51"]);
  assertEquals(headers.get("access-control-allow-origin"), "*");
  assertMatch(headers.get("access-control-expose-headers")!, /Retry-After/);
  assertEquals(await new Response(body).json(), {
    errcode: "M_LIMIT_EXCEEDED",
    error: "Too many requests",
    retry_after_ms: 51_000,
  });
  assertEquals((await ask("POST", "/x", "203.0.113.8")).status, 200);
  clock.advance(51_000);
  assertEquals((await ask("POST", "/x")).status, 200);
});

Deno.test("who is limited is turned away before the body is read", async () => {
  const { handle, allowed } = await createWorld({ "/x": { POST: OK } });
  await allowed("POST", "/x");
  let isRead = false;
  const body = new ReadableStream({
    pull() {
      isRead = true;
    },
  }, { highWaterMark: 0 });
  const peer = { remoteAddr: { transport: "tcp", hostname: "203.0.113.7" } };
  const { status } = await handle(new Request("http://a/x", { method: "POST", body }), peer);
  assertEquals([status, isRead], [429, false]);
});

Deno.test("authentic requests of servers pass also from a limited address", async () => {
  const routes = { "/x": { POST: OK }, "/webhook": { costs: "refusals" as const, POST: OK } };
  const { ask, allowed } = await createWorld(routes);
  await allowed("POST", "/x");
  assertEquals((await ask("POST", "/webhook")).status, 200);
});

Deno.test("IPv6 clients count by /64", async () => {
  const { ask } = await createWorld({ "/x": { POST: OK } });
  const statuses = [];
  for (let n = 0; n < 26; n++) statuses.push((await ask("POST", "/x", `2001:db8::${n}`)).status);
  assertEquals(statuses.indexOf(429), 25);
  assertEquals((await ask("POST", "/x", "2001:db8:0:1::1")).status, 200);
});

Deno.test("where only a proxy's address is known, nobody is limited", async () => {
  const { ask, handle } = await createWorld({ "/x": { POST: OK } }, ["127.0.0.0/8"]);
  for (let n = 0; n < 50; n++) {
    assertEquals((await ask("POST", "/x", "127.0.0.1")).status, 200);
    assertEquals((await handle(new Request("http://a/x", { method: "POST" }))).status, 200);
  }
});

Deno.test("a limited client is one line a minute, with another name than its address", async () => {
  const { ask, allowed, clock, logText, steps } = await createWorld({ "/x": { POST: OK } });
  await allowed("POST", "/x");
  for (let n = 0; n < 100; n++) await ask("POST", "/x");
  const lines = (await logText()).trim().split("\n");
  assertEquals(lines.length, 1);
  assertMatch(lines[0]!, /INFO +Too many requests endpoint=\/x status=429 limited=client/);
  assertMatch(lines[0]!, /client=pseudonym11/);
  assertEquals(steps.filter(({ limited }) => limited === "client").length, 101);
  clock.advance(60_000);
  await allowed("POST", "/x");
  assertEquals((await logText()).trim().split("\n").length, 2);
});

Deno.test("other 429 answers are no rate limit", async () => {
  const { ask, logText, steps } = await createWorld({
    "/x": { POST: fail(new LimitExceededError("Too many leaves", 5)) },
  });
  assertEquals((await ask("POST", "/x")).status, 429);
  assertEquals(steps[0]!.limited, undefined);
  assertMatch(await logText(), /Too many leaves/);
});
