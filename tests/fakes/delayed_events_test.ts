import { assertEquals } from "@std/assert";
import { createManualClock } from "../support/manual_clock.ts";
import { createDelayedEvents } from "./delayed_events.ts";
import { startHomeserver } from "./homeserver.ts";

const UNSTABLE = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";
const STABLE = "/_matrix/client/v1/delayed_events";

/** Posts to a homeserver; gives status and errcode. */
async function post(url: string, body: BodyInit = "{}", headers: HeadersInit = {}) {
  const response = await fetch(url, { method: "POST", body, headers });
  const answer = await response.json();
  return [response.status, answer.errcode ?? "ok"];
}

Deno.test("a delayed event times out at the end of its delay, counted from the last restart", () => {
  const clock = createManualClock();
  const events = createDelayedEvents(clock);
  events.schedule("a", 1_000);
  clock.advance(999);
  assertEquals(events.act("a", "restart").status, 200);
  clock.advance(999);
  assertEquals(events.state("a"), "scheduled");
  clock.advance(1);
  assertEquals(events.state("a"), "timed-out");
  for (const action of ["restart", "send", "cancel"] as const) {
    assertEquals(events.act("a", action).body.errcode, "M_NOT_FOUND");
  }
  assertEquals([clock.pending, events.count("a", "restart"), events.count("a", "send", 404)], [
    [],
    1,
    1,
  ]);
  assertEquals(events.actions[0], { delayId: "a", action: "restart", status: 200, at: 999 });
});

Deno.test("a delayed event is sent or cancelled once, or fires when told", async () => {
  const clock = createManualClock();
  const events = createDelayedEvents(clock);
  for (const id of ["a", "b", "c"]) events.schedule(id, 1_000);
  const ended = events.ended("a");
  events.act("a", "send");
  events.act("b", "cancel");
  events.fire("c");
  events.fire("a");
  assertEquals(await ended, "sent");
  assertEquals(
    await Promise.all(["b", "c", "d"].map((id) => events.ended(id))),
    ["cancelled", "timed-out", "unknown"],
  );
  assertEquals(events.act("a", "send").status, 404);
  assertEquals(clock.pending, []);
});

Deno.test("a sender who may not send any more loses the event", () => {
  const events = createDelayedEvents(createManualClock());
  events.schedule("a", 1_000);
  events.settings.forbidden.add("a");
  assertEquals(events.act("a", "restart").status, 200);
  assertEquals([events.act("a", "send").status, events.act("a", "send").status], [403, 404]);
});

Deno.test("rateLimit takes a burst, then as many as come a second", () => {
  const clock = createManualClock();
  const events = createDelayedEvents(clock);
  events.settings.rateLimit = { perSecond: 1, burst: 5 };
  events.schedule("a", 3_600_000);
  const restart = () => events.act("a", "restart");
  assertEquals(Array.from({ length: 5 }, () => restart().status), Array(5).fill(200));
  const { status, headers, body } = restart();
  assertEquals([status, headers], [429, { "retry-after": "1" }]);
  assertEquals([body.errcode, body.retry_after_ms], ["M_LIMIT_EXCEEDED", 1000]);
  clock.advance(999);
  assertEquals(restart().status, 429);
  clock.advance(1);
  assertEquals([restart().status, restart().status], [200, 429]);
  clock.advance(60_000);
  assertEquals(Array.from({ length: 6 }, () => restart().status), [...Array(5).fill(200), 429]);
});

Deno.test("fail() answers in place of the homeserver, which does nothing", () => {
  const events = createDelayedEvents(createManualClock());
  events.schedule("a", 1_000);
  events.settings.fail = (action) => action === "send" ? { status: 503, body: {} } : undefined;
  assertEquals([events.act("a", "send").status, events.act("a", "restart").status], [503, 200]);
  assertEquals([events.state("a"), events.count("a", "send", 503)], ["scheduled", 1]);
});

Deno.test("startHomeserver() keeps delayed events at the paths that Synapse has", async () => {
  await using homeserver = startHomeserver({ users: {} });
  const { url, delayedEvents } = homeserver;
  for (const id of ["a/b", "old", "c"]) delayedEvents.schedule(id, 3_600_000);
  const old = (body: string) => post(`${url}${UNSTABLE}/old`, body);
  assertEquals(await post(`${url}${UNSTABLE}/a%2Fb/restart`), [200, "ok"]);
  assertEquals(await post(`${url}${UNSTABLE}/a%2Fb/send`), [200, "ok"]);
  assertEquals(await post(`${url}${UNSTABLE}/a%2Fb/send`), [404, "M_NOT_FOUND"]);
  assertEquals(await post(`${url}${UNSTABLE}/unknown/send`), [404, "M_NOT_FOUND"]);
  assertEquals(await post(`${url}${UNSTABLE}/c/explode`), [404, "M_UNRECOGNIZED"]);
  assertEquals(await post(`${url}${UNSTABLE}/c/send`, "{"), [400, "M_NOT_JSON"]);
  assertEquals(await post(`${url}${STABLE}/c/send`), [404, "M_UNRECOGNIZED"]);
  const bad = { authorization: "Bearer bad" };
  assertEquals(await post(`${url}${UNSTABLE}/c/send`, "{}", bad), [401, "M_UNKNOWN_TOKEN"]);
  assertEquals(await old(`{"action":"restart"}`), [200, "ok"]);
  assertEquals(await old("{}"), [400, "M_MISSING_PARAM"]);
  assertEquals(await old(`{"action":"explode"}`), [400, "M_INVALID_PARAM"]);
  assertEquals(
    delayedEvents.actions.map(({ delayId, action, status }) => [delayId, action, status]),
    [
      ["a/b", "restart", 200],
      ["a/b", "send", 200],
      ["a/b", "send", 404],
      ["unknown", "send", 404],
      ["old", "restart", 200],
    ],
  );
});

Deno.test("startHomeserver() can have the stable paths, both, or none", async () => {
  await using homeserver = startHomeserver({ users: {} });
  const { url, delayedEvents } = homeserver;
  delayedEvents.schedule("a", 3_600_000);
  const found = { unstable: [200, 404], stable: [404, 200], both: [200, 200], none: [404, 404] };
  for (const [paths, statuses] of Object.entries(found)) {
    delayedEvents.settings.paths = paths as keyof typeof found;
    const unstable = await post(`${url}${UNSTABLE}/a/restart`);
    const stable = await post(`${url}${STABLE}/a/restart`);
    assertEquals([unstable[0], stable[0]], statuses);
  }
});

Deno.test("startHomeserver() ends real delays", async () => {
  await using homeserver = startHomeserver({ users: {} });
  homeserver.delayedEvents.schedule("a", 1);
  assertEquals(await homeserver.delayedEvents.ended("a"), "timed-out");
});

Deno.test("startHomeserver() shows an event to its owner only, and only to the application service", async () => {
  await using homeserver = startHomeserver({ users: {}, appService: { asToken: "as" } });
  const { url, delayedEvents } = homeserver;
  delayedEvents.schedule("a/b", 3_600_000, {
    userId: "@alice:example.org",
    roomId: "!room",
    stateKey: "_@alice:example.org_D",
  });
  delayedEvents.schedule("nobodys", 3_600_000);
  const see = async (id: string, asUser?: string, token: string | null = "as") => {
    const query = asUser === undefined ? "" : `?user_id=${encodeURIComponent(asUser)}`;
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}${UNSTABLE}/${id}${query}`, { headers });
    const { errcode, room_id, delay_ms, state_key } = await response.json();
    return [response.status, errcode ?? [room_id, delay_ms, state_key]];
  };
  const alice = "@alice:example.org";
  assertEquals(await see("a%2Fb", alice), [200, [
    "!room",
    3_600_000,
    "_@alice:example.org_D",
  ]]);
  assertEquals(await see("a%2Fb", "@bob:example.org"), [404, "M_NOT_FOUND"]);
  assertEquals(await see("a%2Fb"), [404, "M_NOT_FOUND"]);
  assertEquals(await see("nobodys", alice), [404, "M_NOT_FOUND"]);
  assertEquals(await see("a%2Fb", alice, "other"), [401, "M_UNKNOWN_TOKEN"]);
  assertEquals(await see("a%2Fb", alice, null), [401, "M_MISSING_TOKEN"]);
  delayedEvents.settings.isInNamespace = () => false;
  assertEquals(await see("a%2Fb", alice), [403, "M_FORBIDDEN"]);
  delete delayedEvents.settings.isInNamespace;
  delayedEvents.settings.answerLookup = () => ({ status: 200, body: { room_id: "!other" } });
  assertEquals(await see("a%2Fb", alice), [200, ["!other", undefined, undefined]]);
  delete delayedEvents.settings.answerLookup;
  delayedEvents.act("a/b", "send");
  assertEquals(await see("a%2Fb", alice), [404, "M_NOT_FOUND"]);
  assertEquals(delayedEvents.lookups.map(({ asUser, status }) => [asUser, status]), [
    [alice, 200],
    ["@bob:example.org", 404],
    ["", 404],
    [alice, 404],
    [alice, 200],
    [alice, 404],
  ]);
});

Deno.test("startHomeserver() records in whose name an action came", async () => {
  await using homeserver = startHomeserver({ users: {}, appService: { asToken: "as" } });
  const { url, delayedEvents } = homeserver;
  delayedEvents.schedule("a", 3_600_000);
  const good = { authorization: "Bearer as" };
  const restart = `${url}${UNSTABLE}/a/restart`;
  assertEquals(await post(`${restart}?user_id=%40alice%3Ab`, "{}", good), [200, "ok"]);
  assertEquals(await post(restart, "{}", good), [200, "ok"]);
  assertEquals(await post(restart), [200, "ok"]);
  const bad = { authorization: "Bearer bad" };
  assertEquals(await post(restart, "{}", bad), [401, "M_UNKNOWN_TOKEN"]);
  assertEquals(delayedEvents.actions.map(({ asUser }) => asUser), ["@alice:b", "", undefined]);
});
