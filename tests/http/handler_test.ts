import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Endpoint, Route } from "../../lib/http/endpoint.ts";
import { LostBodyError } from "../../lib/http/read_json.ts";
import { createHandler } from "../../lib/http/handler.ts";
import { WorkLimit } from "../../lib/http/work_limit.ts";
import { InvalidRequestError, UnauthorizedError, UpstreamError } from "../../lib/matrix/errors.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const MAX_IN_WORK = 3;

const OK: Endpoint = () => ({ status: 200, contentType: "application/json", body: "{}" });

async function createWorld(routes: Record<string, Route>) {
  const { log, logText } = await captureLog({
    level: "debug",
    format: "text",
    clock: createManualClock(),
  });
  let count = 0;
  const handle = createHandler({ routes, log, nextRequestId: () => `id${count++}` });
  return {
    handle,
    ask: (method: string, path: string) =>
      handle(new Request(`http://service.example${path}`, { method })),
    logText,
  };
}

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST",
  "access-control-allow-headers":
    "Accept, Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token",
};

const ROUTES = {
  "/work": { limit: new WorkLimit(MAX_IN_WORK), POST: OK },
  "/probe": { GET: OK },
  "/both": { GET: OK, POST: OK },
};

for (
  const { method, path, status, allow } of [
    { method: "POST", path: "/work", status: 200 },
    { method: "GET", path: "/work", status: 405, allow: "POST" },
    { method: "HEAD", path: "/work", status: 405, allow: "POST" },
    { method: "PUT", path: "/work", status: 405, allow: "POST" },
    { method: "DELETE", path: "/both", status: 405, allow: "GET, HEAD, POST" },
    { method: "OPTIONS", path: "/work", status: 200 },
    { method: "OPTIONS", path: "/unknown", status: 200 },
    { method: "GET", path: "/probe", status: 200 },
    { method: "HEAD", path: "/probe", status: 200 },
    { method: "POST", path: "/probe", status: 405, allow: "GET, HEAD" },
    { method: "GET", path: "/unknown", status: 404 },
    { method: "POST", path: "/", status: 404 },
    { method: "POST", path: "/constructor", status: 404 },
    { method: "POST", path: "/__proto__", status: 404 },
    { method: "BREW", path: "/work", status: 405, allow: "POST" },
  ]
) {
  Deno.test(`createHandler() answers ${status} to ${method} ${path}, with CORS and an ID`, async () => {
    const { ask } = await createWorld(ROUTES);
    const { status: answered, headers, body } = await ask(method, path);
    assertEquals(answered, status);
    for (const [name, value] of Object.entries(CORS)) assertEquals(headers.get(name), value);
    assertEquals(headers.get("x-request-id"), "id0");
    assertEquals(headers.get("cache-control"), "no-store, no-transform");
    assertEquals(headers.get("allow"), allow ?? null);
    if (method === "HEAD" || method === "OPTIONS") return assertEquals(body, null);
    assertEquals(headers.get("content-type"), "application/json");
    const { errcode } = await new Response(body).json();
    assertEquals(errcode, status >= 400 ? "M_UNRECOGNIZED" : undefined);
  });
}

Deno.test("createHandler() gives every request an ID of its own, which is in the log", async () => {
  const { ask, logText } = await createWorld(ROUTES);
  const ids = [];
  for (const path of ["/unknown", "/work"]) {
    ids.push((await ask("GET", path)).headers.get("x-request-id"));
  }
  assertEquals(ids, ["id0", "id1"]);
  const [notFound, notAllowed] = (await logText()).split("\n");
  assertMatch(notFound!, /INFO .*Unrecognized request endpoint=\/unknown status=404 request=id0$/);
  assertMatch(notAllowed!, /INFO .*Method not allowed endpoint=\/work status=405 request=id1$/);
});

const FAILURES = [
  {
    name: "a fault of the client",
    error: new InvalidRequestError("M_BAD_JSON", "Missing room parameter"),
    answer: [400, "M_BAD_JSON", "Missing room parameter"],
    line: /INFO +Missing room parameter endpoint=\/work status=400 seen=1 request=id0\n/,
  },
  {
    name: "a server that does not answer",
    error: new UnauthorizedError({ cause: new UpstreamError("tls", "no trust at 10.1.2.3") }),
    answer: [401, "M_UNAUTHORIZED", "The request could not be authorised."],
    line:
      /WARNING .*no trust at 10\.1\.2\.3 endpoint=\/work status=401 seen=1 hop=tls request=id0\n/,
  },
  {
    name: "a bug",
    error: new TypeError("x is undefined", { cause: new Error("deep") }),
    answer: [500, "M_UNKNOWN", "Internal Server Error"],
    line: /ERROR +bug: x is undefined: deep endpoint=\/work status=500 seen=1 request=id0\n/,
  },
  {
    name: "something thrown that is no error",
    error: "text",
    answer: [500, "M_UNKNOWN", "Internal Server Error"],
    line: /ERROR +bug: text endpoint/,
  },
];

for (const { name, error, answer, line } of FAILURES) {
  for (const isAsync of [true, false]) {
    const when = isAsync ? "rejects with" : "throws";
    Deno.test(`createHandler() tells log and client of an endpoint that ${when} ${name}`, async () => {
      const { ask, logText } = await createWorld({
        "/work": {
          limit: new WorkLimit(MAX_IN_WORK),
          POST: (_request, { facts }) => {
            facts.seen = 1;
            if (isAsync) return Promise.reject(error);
            throw error;
          },
        },
      });
      const response = await ask("POST", "/work");
      const { errcode, error: text } = await response.json();
      assertEquals([response.status, errcode, text], answer);
      assertEquals(
        response.headers.get("access-control-expose-headers"),
        "X-Request-Id, Retry-After",
      );
      assertMatch(await logText(), line);
    });
  }
}

/** An endpoint whose answers wait until the test lets them go. */
function createGate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const endpoint: Endpoint = async (request, context) => {
    await promise;
    return await OK(request, context);
  };
  return { endpoint, open: () => resolve() };
}

Deno.test("createHandler() refuses more work than it can do, but no probes", async () => {
  const { endpoint, open } = createGate();
  const { ask, logText } = await createWorld({
    ...ROUTES,
    "/work": { limit: new WorkLimit(MAX_IN_WORK), POST: endpoint },
  });
  const inWork = Array.from({ length: MAX_IN_WORK }, () => ask("POST", "/work"));
  const refused = await ask("POST", "/work");
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assertEquals(await refused.json(), {
    errcode: "M_UNKNOWN",
    error: "Too many requests are in work",
  });
  for (const [method, path] of [["GET", "/probe"], ["OPTIONS", "/work"]] as const) {
    assertEquals((await ask(method, path)).status, 200);
  }
  assertEquals((await ask("GET", "/work")).status, 405);
  open();
  const statuses = (await Promise.all(inWork)).map(({ status }) => status);
  assertEquals(new Set(statuses), new Set([200]));
  assertEquals((await ask("POST", "/work")).status, 200);
  assertStringIncludes(await logText(), "Too many requests are in work");
});

Deno.test("createHandler() frees the places of requests that failed", async () => {
  const { ask } = await createWorld({
    "/work": {
      limit: new WorkLimit(MAX_IN_WORK),
      POST: () => Promise.reject(new UnauthorizedError()),
    },
  });
  for (let i = 0; i < MAX_IN_WORK + 1; i++) {
    assertEquals((await ask("POST", "/work")).status, 401);
  }
});

Deno.test("drain() refuses new work and lets the old end", async () => {
  const { endpoint, open } = createGate();
  const { handle, ask } = await createWorld({
    ...ROUTES,
    "/work": { limit: new WorkLimit(MAX_IN_WORK), POST: endpoint },
  });
  const old = ask("POST", "/work");
  let isDrained = false;
  const drained = handle.drain().then(() => isDrained = true);
  const refused = await ask("POST", "/work");
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  assertEquals(await refused.json(), { errcode: "M_UNKNOWN", error: "Service is shutting down" });
  assertEquals((await ask("GET", "/probe")).status, 200);
  assertEquals(isDrained, false);
  open();
  assert((await old).ok);
  await drained;
});

Deno.test("drain() resolves at once when nothing is in hand, also after failures", async () => {
  const { handle, ask } = await createWorld(ROUTES);
  await ask("POST", "/unknown");
  await ask("POST", "/work");
  await handle.drain();
});

Deno.test("createHandler() lets an endpoint's headers stand beside its own", async () => {
  const { ask } = await createWorld({
    "/page": {
      GET: () => ({
        status: 200,
        body: "hi",
        contentType: "text/html",
        headers: { vary: "accept" },
      }),
    },
  });
  const { headers } = await ask("GET", "/page");
  assertEquals([headers.get("vary"), headers.get("content-type"), headers.get("x-request-id")], [
    "accept",
    "text/html",
    "id0",
  ]);
});

for (const isDraining of [false, true]) {
  const [status, errcode] = isDraining ? [503, "M_UNKNOWN"] : [400, "M_NOT_JSON"];
  Deno.test(`createHandler() answers ${status} to a body lost ${isDraining ? "at a stop" : "on its way"}`, async () => {
    const reading = Promise.withResolvers<never>();
    const { handle, ask } = await createWorld({
      "/work": { POST: () => reading.promise },
    });
    const answer = ask("POST", "/work");
    const drained = isDraining ? handle.drain() : undefined;
    reading.reject(new LostBodyError(new Deno.errors.BadResource("gone")));
    const response = await answer;
    assertEquals([response.status, (await response.json()).errcode], [status, errcode]);
    assertEquals(response.headers.get("retry-after"), isDraining ? "1" : null);
    await drained;
  });
}
