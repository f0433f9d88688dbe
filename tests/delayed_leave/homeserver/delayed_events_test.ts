import { assert, assertEquals, assertMatch } from "@std/assert";
import { createClientApi } from "../../../lib/homeserver/client_api.ts";
import {
  createDelayedEvents,
  type Outcome,
} from "../../../lib/delayed_leave/homeserver/delayed_events.ts";
import type { Job } from "../../../lib/delayed_leave/job.ts";
import type { Act } from "../../../lib/delayed_leave/store.ts";
import { Secret } from "../../../lib/secret.ts";
import {
  type Homeserver,
  type HomeserverOptions,
  startHomeserver,
} from "../../fakes/homeserver.ts";
import { startRawServer } from "../../fakes/raw_server.ts";
import { realClock, startClient } from "../../net/fixtures.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import { createTestCa } from "../../support/test_ca.ts";
import { createFakeClient } from "../../verification/fixtures.ts";
import { createJob } from "./queue_world.ts";

const ID = "syd_SECRET";
const AS_TOKEN = "as_SECRET";
const HOUR_MS = 3_600_000;
const UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
const STABLE = "/_matrix/client/v1/delayed_events";
const ca = await createTestCa();
const localhost = await ca.issue(["localhost"]);

/** What jobs may be told of otherwise than by themselves. */
interface WorldOptions extends Partial<HomeserverOptions> {
  /** The server name that the service is registered with, if it is an application service. */
  readonly registeredAt?: (serverName: string) => string;
  readonly job?: Partial<Job>;
}

/** Attempts over TLS on a homeserver of their own. */
function startWorld({ registeredAt, job, ...options }: WorldOptions = {}) {
  const homeserver = startHomeserver({ users: {}, tls: localhost, ...options });
  const { serverName } = homeserver;
  homeserver.settings.clientBaseUrl = `https://${serverName}`;
  const lookup = () => Promise.resolve(["127.0.0.1"]);
  const client = startClient({ ca: [ca.pem], lookup });
  const clientApi = createClientApi({
    client,
    clock: realClock,
    overrides: new Map(),
    isOwn: () => true,
  });
  const attempt = createDelayedEvents({
    client,
    clientApi,
    clock: realClock,
    ...(registeredAt && {
      appService: { serverName: registeredAt(serverName), asToken: new Secret(AS_TOKEN) },
    }),
  });
  return {
    homeserver,
    attempt: (act: Act, delayId = ID, timeoutMs = 10_000) =>
      attempt({ ...createJob(delayId, serverName), ...job }, act, timeoutMs),
    /** Paths asked for, but for the well-known one. */
    paths: () =>
      homeserver.requests.map(({ path }) => path).filter((path) => !/well-known/.test(path)),
    async [Symbol.asyncDispose]() {
      await client.close();
      await homeserver.close();
    },
  };
}

/** What an attempt comes to when the homeserver, or somebody before it, answers so. */
async function outcomeFor(act: Act, answer: (homeserver: Homeserver) => Response) {
  await using world = startWorld();
  world.homeserver.settings.respond = (_, { path }) =>
    path.includes("delayed_events") ? answer(world.homeserver) : undefined;
  const outcome = await world.attempt(act);
  assertSecret(outcome);
  return outcome;
}

/** Nothing that can reach a log holds the delay ID. */
function assertSecret(outcome: Outcome): void {
  if (!("error" in outcome)) return;
  for (let at: unknown = outcome.error; at instanceof Error; at = at.cause) {
    const text = `${at.message} ${at.stack}`;
    assert(!text.includes(ID) && !text.includes(AS_TOKEN), text);
  }
}

/** An outcome on one line. */
function describe(outcome: Outcome): string {
  if (outcome.kind === "limited") return `limited ${outcome.retryAfterMs}`;
  if (!("error" in outcome)) return outcome.kind;
  return `${outcome.kind}: ${outcome.error.message}`.replaceAll(/localhost:\d+/g, "localhost");
}

Deno.test("an attempt restarts, then sends, in the words that Synapse expects", async () => {
  await using world = startWorld();
  const { delayedEvents, requests } = world.homeserver;
  delayedEvents.schedule(ID, HOUR_MS);
  assertEquals(await world.attempt("restart"), { kind: "done" });
  assertEquals(await world.attempt("send"), { kind: "done" });
  assertEquals(delayedEvents.state(ID), "sent");
  assertEquals(world.paths(), [`${UNSTABLE}/${ID}/restart`, `${UNSTABLE}/${ID}/send`]);
  const { method, headers } = requests[1]!;
  assertEquals([method, headers.get("content-type")], ["POST", "application/json"]);
  assertEquals(headers.get("authorization"), null);
  // The second of them needs no look-up and no handshake.
  assertEquals([requests.length, requests[2]!.connection], [3, requests[1]!.connection]);
});

Deno.test("an event that is gone is sent already, and not to be restarted", async () => {
  await using world = startWorld();
  assertEquals(await world.attempt("send"), { kind: "done" });
  assertEquals(await world.attempt("restart"), { kind: "gone" });
  world.homeserver.delayedEvents.schedule(ID, HOUR_MS);
  world.homeserver.delayedEvents.settings.forbidden.add(ID);
  assertMatch(describe(await world.attempt("send")), /^refused: .*403 M_FORBIDDEN$/);
  assertEquals(await world.attempt("send"), { kind: "done" });
});

const ids = ["a/b", "a%2Fb", "..%2f..", "a?b#c", "...", "ä ✓", "a\r\nb", "a\\b", "x".repeat(8_000)];
for (const id of ids) {
  Deno.test(`a delay ID is one segment of the path: ${JSON.stringify(id).slice(0, 30)}`, async () => {
    await using world = startWorld();
    world.homeserver.delayedEvents.schedule(id, HOUR_MS);
    assertEquals(await world.attempt("restart", id), { kind: "done" });
    assertEquals(world.homeserver.delayedEvents.count(id, "restart"), 1);
    assertEquals(world.paths(), [`${UNSTABLE}/${encodeURIComponent(id)}/restart`]);
  });
}

for (const id of ["", ".", "..", "\ud800"]) {
  Deno.test(`a delay ID of ${JSON.stringify(id)} is sent nowhere`, async () => {
    await using world = startWorld();
    assertMatch(describe(await world.attempt("send", id)), /^refused: .*impossible delay ID$/);
    assertEquals(world.homeserver.requests, []);
  });
}

const matrix = (status: number, errcode: string, headers: HeadersInit = {}) => () =>
  Response.json({ errcode, error: `about ${ID}` }, { status, headers });
const page = (status: number, headers: HeadersInit = {}) => () =>
  new Response(`<html>${ID}</html>`, { status, headers });
const limited = (headers: HeadersInit, body: unknown = {}) => () =>
  Response.json(body, { status: 429, headers });
const date = "Tue, 24 Nov 2026 12:00:00 GMT";
const AT = "at https://localhost";
const PROXY = "without a Matrix error code (a proxy in front of the homeserver?)";

const answers: [string, Act, (homeserver: Homeserver) => Response, string][] = [
  ["204", "restart", () => new Response(null, { status: 204 }), "done"],
  ["200 with a web page", "send", page(200), "done"],
  ["404 of the homeserver", "restart", matrix(404, "M_NOT_FOUND"), "gone"],
  ["404 of the homeserver", "send", matrix(404, "M_NOT_FOUND"), "done"],
  ["404 of a proxy", "restart", page(404), `failed: restart ${AT}: HTTP 404 ${PROXY}`],
  ["404 of a proxy", "send", page(404), `failed: send ${AT}: HTTP 404 ${PROXY}`],
  [
    "404 without a code",
    "send",
    () => Response.json({ message: "no route" }, { status: 404 }),
    `failed: send ${AT}: HTTP 404 ${PROXY}`,
  ],
  ["404 without a word", "send", () => Response.json({}, { status: 404 }), "done"],
  [
    "404 without a word",
    "restart",
    () => Response.json({}, { status: 404 }),
    `failed: restart ${AT}: HTTP 404 ${PROXY}`,
  ],
  [
    "404 with another code",
    "send",
    matrix(404, "M_UNKNOWN"),
    `failed: send ${AT}: HTTP 404 M_UNKNOWN`,
  ],
  ["404 with no code but text", "send", matrix(404, ID), `failed: send ${AT}: HTTP 404 ${PROXY}`],
  [
    "401",
    "restart",
    matrix(401, "M_MISSING_TOKEN"),
    `refused: restart ${AT}: HTTP 401 M_MISSING_TOKEN`,
  ],
  ["403", "send", matrix(403, "M_FORBIDDEN"), `refused: send ${AT}: HTTP 403 M_FORBIDDEN`],
  ["409", "send", matrix(409, "M_CONFLICT"), `refused: send ${AT}: HTTP 409 M_CONFLICT`],
  ["401 of a proxy", "send", page(401), `failed: send ${AT}: HTTP 401 ${PROXY}`],
  ["403 of a proxy", "send", page(403), `failed: send ${AT}: HTTP 403 ${PROXY}`],
  ["400", "send", matrix(400, "M_UNKNOWN"), `failed: send ${AT}: HTTP 400 M_UNKNOWN`],
  ["500", "send", matrix(500, "M_UNKNOWN"), `failed: send ${AT}: HTTP 500 M_UNKNOWN`],
  ["502 of a proxy", "send", page(502), `failed: send ${AT}: HTTP 502 ${PROXY}`],
  [
    "an array",
    "send",
    () => Response.json(["M_NOT_FOUND"], { status: 404 }),
    `failed: send ${AT}: HTTP 404 ${PROXY}`,
  ],
  [
    "429 with seconds",
    "send",
    limited({ "retry-after": "7" }, { retry_after_ms: 1 }),
    "limited 7000",
  ],
  ["429 with 0 s", "send", limited({ "retry-after": "0" }), "limited 0"],
  ["429 of a proxy", "send", page(429, { "retry-after": "7" }), "limited 7000"],
  [
    "429 with a date",
    "send",
    limited({ "retry-after": "Tue, 24 Nov 2026 12:00:09 GMT", date }),
    "limited 9000",
  ],
  [
    "429 with a past date",
    "send",
    limited({ "retry-after": "Tue, 24 Nov 2026 11:00:00 GMT", date }),
    "limited 0",
  ],
  ["429 with milliseconds", "send", limited({}, { retry_after_ms: 1_001 }), "limited 2000"],
  [
    "429 with an odd header",
    "send",
    limited({ "retry-after": "soon" }, { retry_after_ms: 1_000 }),
    "limited 1000",
  ],
  [
    "429 without a hint",
    "send",
    matrix(429, "M_LIMIT_EXCEEDED"),
    `failed: send ${AT}: HTTP 429 M_LIMIT_EXCEEDED`,
  ],
  [
    "429 with a negative hint",
    "send",
    limited({}, { retry_after_ms: -1 }),
    `failed: send ${AT}: HTTP 429 ${PROXY}`,
  ],
  [
    "429 with text",
    "send",
    limited({}, { retry_after_ms: "1" }),
    `failed: send ${AT}: HTTP 429 ${PROXY}`,
  ],
];
for (const [what, act, answer, expected] of answers) {
  Deno.test(`a ${act} answered by ${what} is ${expected.slice(0, 60)}`, async () => {
    assertEquals(describe(await outcomeFor(act, answer)), expected);
  });
}

for (const status of [301, 302, 307, 308]) {
  Deno.test(`a redirect is not followed: ${status}`, async () => {
    let asked = 0;
    const outcome = await outcomeFor("send", ({ url }) => {
      asked++;
      return new Response(null, { status, headers: { location: `${url}/elsewhere` } });
    });
    assertMatch(describe(outcome), /^failed: .* a redirect, which is not followed/);
    assertEquals(asked, 1);
  });
}

Deno.test("the stable paths are tried where the unstable ones are not known, and remembered", async () => {
  await using world = startWorld();
  const { delayedEvents } = world.homeserver;
  delayedEvents.settings.paths = "stable";
  delayedEvents.schedule(ID, HOUR_MS);
  for (let i = 0; i < 2; i++) assertEquals(await world.attempt("restart"), { kind: "done" });
  assertEquals(world.paths(), [UNSTABLE, STABLE, STABLE].map((root) => `${root}/${ID}/restart`));
  // Back again, as after a downgrade.
  delayedEvents.settings.paths = "unstable";
  world.homeserver.requests.length = 0;
  for (let i = 0; i < 2; i++) assertEquals(await world.attempt("restart"), { kind: "done" });
  assertEquals(world.paths(), [STABLE, UNSTABLE, UNSTABLE].map((root) => `${root}/${ID}/restart`));
});

Deno.test("what the stable paths say counts, even if it is no", async () => {
  await using world = startWorld();
  world.homeserver.delayedEvents.settings.paths = "stable";
  assertEquals(await world.attempt("restart"), { kind: "gone" });
  assertEquals(await world.attempt("restart"), { kind: "gone" });
  assertEquals(world.paths().length, 3);
});

Deno.test("a homeserver without delayed events is told from one that fails", async () => {
  await using world = startWorld();
  world.homeserver.delayedEvents.settings.paths = "none";
  const outcome = await world.attempt("restart");
  assertEquals(world.paths().length, 2);
  assertMatch(describe(outcome), /^failed: restart at .*has no delayed events.*max_event_delay/);
  assertEquals(outcome.kind === "failed" && [outcome.error.hop, outcome.isUnresolved], [
    "answer",
    false,
  ]);
});

Deno.test("an attempt fails as unresolved where the client API cannot be found", async () => {
  await using world = startWorld();
  delete world.homeserver.settings.clientBaseUrl;
  const outcome = await world.attempt("restart");
  assertMatch(describe(outcome), /^failed: .*well-known.*404.*LIVEKIT_CS_API_URL_OVERRIDES$/);
  assertEquals(outcome.kind === "failed" && outcome.isUnresolved, true);
});

Deno.test("an attempt ends in time, whether the file or the homeserver hangs", async () => {
  await using hanging = startRawServer({ handle: () => new Promise(() => {}) });
  const clock = createManualClock();
  const lookup = () => Promise.resolve(["127.0.0.1"]);
  await using client = startClient({ lookup, clock });
  const serverName = `localhost:${new URL(`http://${hanging.host}`).port}`;
  for (const overrides of [new Map(), new Map([[serverName, `http://${hanging.host}`]])]) {
    const clientApi = createClientApi({ client, clock, overrides, isOwn: () => true });
    const attempt = createDelayedEvents({ client, clientApi, clock });
    const pending = attempt(createJob(ID, serverName), "restart", 900);
    await clock.waitForTimer(900);
    clock.advance(900);
    const outcome = await pending;
    assertMatch(describe(outcome), /^failed: (.* in time|no answer from .* in 0\.9 s)$/);
    assertEquals(outcome.kind === "failed" && outcome.isUnresolved, overrides.size === 0);
    assertSecret(outcome);
    // The look-up itself ends later, for whoever comes next.
    clock.advance(10_000);
  }
});

Deno.test("what fails makes the client API suspect, what answers does not", async () => {
  const clock = createManualClock();
  const statuses = [200, 503, 404];
  const client = createFakeClient(() => {
    const status = statuses.shift();
    return status === undefined ? undefined : { status };
  });
  const overrides = new Map([["example.org", "https://matrix.example.org"]]);
  const known = createClientApi({ client, clock, overrides, isOwn: () => true });
  const suspected: string[] = [];
  const clientApi = { ...known, suspect: (serverName: string) => suspected.push(serverName) };
  const attempt = createDelayedEvents({ client, clientApi, clock });
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    await attempt(createJob(ID), "restart", 1_000);
    counts.push(suspected.length);
  }
  assertEquals([counts, suspected[0]], [[0, 1, 2, 3], "example.org"]);
});

Deno.test("an attempt fails for a server that is not there", async () => {
  const world = startWorld();
  await using _ = world;
  await world.attempt("restart");
  await world.homeserver.close();
  const outcome = await world.attempt("restart", ID, 5_000);
  assertEquals(outcome.kind === "failed" && outcome.isUnresolved, false);
  assertSecret(outcome);
});

// --- Jobs through the homeserver

/** A world in which the service is registered with the homeserver, and the job is one of its user. */
function startProxiedWorld(
  options: Pick<WorldOptions, "registeredAt"> & {
    readonly localpart?: string;
    readonly job?: Partial<Job>;
  } = {},
) {
  const { job = {}, localpart = "alice", registeredAt = (serverName: string) => serverName } =
    options;
  const fields = { isThroughHomeserver: true as const, ...job };
  const world = startWorld({ registeredAt, job: fields });
  const userId = `@${localpart}:${world.homeserver.serverName}`;
  Object.assign(fields, { userId, ...job });
  world.homeserver.delayedEvents.settings.asToken = AS_TOKEN;
  return { ...world, userId };
}

/** Credentials with which actions arrived. */
function credentials({ requests }: Homeserver) {
  return requests.filter(({ path }) => path.includes("delayed_events")).map(({ headers, path }) => [
    headers.get("authorization"),
    path.includes("?"),
  ]);
}

for (const paths of ["unstable", "stable"] as const) {
  Deno.test(`an attempt through the homeserver has token and user on ${paths} paths`, async () => {
    const world = startProxiedWorld();
    await using _ = world;
    const { delayedEvents } = world.homeserver;
    delayedEvents.settings.paths = paths;
    delayedEvents.schedule(ID, HOUR_MS);
    for (const act of ["restart", "send"] as const) {
      assertEquals(await world.attempt(act), { kind: "done" });
    }
    const root = paths === "stable" ? STABLE : UNSTABLE;
    assertEquals(
      world.paths().slice(-2),
      ["restart", "send"].map((act) =>
        `${root}/${ID}/${act}?user_id=${encodeURIComponent(world.userId)}`
      ),
    );
    assertEquals(delayedEvents.actions.map(({ action, asUser }) => [action, asUser]), [
      ["restart", world.userId],
      ["send", world.userId],
    ]);
    const all = credentials(world.homeserver);
    assert(all.every(([authorization]) => authorization === `Bearer ${AS_TOKEN}`), `${all}`);
  });
}

for (const localpart of ["a&user_id=@eve", "a+b=c/d?#%40", "ä✓🦊", "x".repeat(200)]) {
  Deno.test(`a user ID is one value of the query: ${localpart.slice(0, 20)}`, async () => {
    const world = startProxiedWorld({ localpart });
    await using _ = world;
    world.homeserver.delayedEvents.schedule(ID, HOUR_MS);
    assertEquals(await world.attempt("restart"), { kind: "done" });
    assertEquals(world.homeserver.delayedEvents.actions[0]?.asUser, world.userId);
  });
}

const withoutToken: [string, Parameters<typeof startProxiedWorld>[0]][] = [
  ["came by itself", { job: { isThroughHomeserver: undefined! } }],
  ["has no user", { job: { userId: undefined! } }],
  ["has another server's user", { job: { userId: "@alice:other.example" } }],
  ["has no user ID but text", { job: { userId: "alice" } }],
  ["is of another server", { registeredAt: () => "example.org" }],
  ["is of a server of almost that name", {
    registeredAt: (serverName) => serverName.toUpperCase(),
  }],
  ["is of a server of that name and port", { registeredAt: (serverName) => `${serverName}0` }],
];
for (const [what, options] of withoutToken) {
  Deno.test(`an attempt for a job that ${what} shows no token`, async () => {
    const world = startProxiedWorld(options);
    await using _ = world;
    world.homeserver.delayedEvents.schedule(ID, HOUR_MS);
    for (const act of ["restart", "send"] as const) {
      assertEquals(await world.attempt(act), { kind: "done" });
    }
    assertEquals(credentials(world.homeserver), [[null, false], [null, false]]);
  });
}

Deno.test("an attempt through the homeserver shows no token where the service has none", async () => {
  await using world = startWorld({ job: { isThroughHomeserver: true, userId: "@a:example.org" } });
  world.homeserver.delayedEvents.schedule(ID, HOUR_MS);
  assertEquals(await world.attempt("restart"), { kind: "done" });
  assertEquals(credentials(world.homeserver), [[null, false]]);
});

for (const act of ["restart", "send"] as const) {
  Deno.test(`a ${act} with a token that the homeserver does not know may do better later`, async () => {
    const world = startProxiedWorld();
    await using _ = world;
    const { delayedEvents } = world.homeserver;
    delayedEvents.settings.asToken = "another";
    delayedEvents.schedule(ID, HOUR_MS);
    const outcome = await world.attempt(act);
    assertEquals(
      describe(outcome),
      `failed: ${act} ${AT}: HTTP 401 M_UNKNOWN_TOKEN: the homeserver does not know ` +
        "LIVEKIT_AS_TOKEN; has it loaded the same registration file?",
    );
    assertEquals(outcome.kind === "failed" && [outcome.error.hop, outcome.isUnresolved], [
      "answer",
      false,
    ]);
    assertSecret(outcome);
    delayedEvents.settings.asToken = AS_TOKEN;
    assertEquals(await world.attempt(act), { kind: "done" });
  });
}

const proxiedAnswers: [string, Act, () => Response, string][] = [
  [
    "401",
    "send",
    matrix(401, "M_MISSING_TOKEN"),
    `failed: send ${AT}: HTTP 401 M_MISSING_TOKEN: the homeserver does not know LIVEKIT_AS_TOKEN`,
  ],
  ["401 of a proxy", "send", page(401), `failed: send ${AT}: HTTP 401 ${PROXY}`],
  ["403", "restart", matrix(403, "M_FORBIDDEN"), `refused: restart ${AT}: HTTP 403 M_FORBIDDEN`],
  ["409", "send", matrix(409, "M_CONFLICT"), `refused: send ${AT}: HTTP 409 M_CONFLICT`],
  ["404", "restart", matrix(404, "M_NOT_FOUND"), "gone"],
  ["404", "send", matrix(404, "M_NOT_FOUND"), "done"],
  ["429", "restart", limited({ "retry-after": "7" }), "limited 7000"],
];
for (const [what, act, answer, expected] of proxiedAnswers) {
  Deno.test(`a ${act} with token answered by ${what} is ${expected.slice(0, 60)}`, async () => {
    const world = startProxiedWorld();
    await using _ = world;
    world.homeserver.settings.respond = (_, { path }) =>
      path.includes("delayed_events") ? answer() : undefined;
    const outcome = await world.attempt(act);
    assertSecret(outcome);
    const text = describe(outcome);
    assert(text.startsWith(expected), text);
    // Where the answer is a proxy's own, the token is not to blame.
    assertEquals(text.includes("LIVEKIT_AS_TOKEN"), expected.includes("LIVEKIT_AS_TOKEN"));
  });
}

for (const status of [302, 307]) {
  Deno.test(`a redirect gets no token: ${status}`, async () => {
    const world = startProxiedWorld();
    await using _ = world;
    let asked = 0;
    world.homeserver.settings.respond = (_, { path }) => {
      if (!/delayed_events|elsewhere/.test(path)) return undefined;
      asked++;
      const location = `${world.homeserver.url}/elsewhere`;
      return new Response(null, { status, headers: { location } });
    };
    assertMatch(describe(await world.attempt("send")), /^failed: .* a redirect/);
    assertEquals(asked, 1);
  });
}
