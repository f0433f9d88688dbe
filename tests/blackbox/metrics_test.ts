// Metrics from outside: what is counted, where it is answered, and that hostile input adds nothing.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { hashedIdentity, liveKitRoom } from "../../lib/signing/names.ts";
import { samplesOf } from "../observability/metrics/support.ts";
import { readDocument } from "../readme/support/document.ts";
import { secret, start, test, testSecrets } from "./support/watched.ts";
import {
  ask,
  getTokenBody,
  openIdToken,
  sfuGetBody,
  startWorld,
  type World,
} from "./support/world.ts";

const METRICS_LISTENING = /metrics listening on (\S+)/;
const DELAY_MS = 60_000;

const world = await startWorld(({ own }) => ({
  MATRIXRTC_METRICS_BIND: "127.0.0.1:0",
  LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
}));
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());
const [, metricsUrl] = await world.service.waitForLog(METRICS_LISTENING) as [string, string];

async function scrape(url = metricsUrl): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return await response.text();
}

/** What has risen while something was done, by name and labels; without times and buckets. */
async function counted(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = samplesOf(await scrape());
  await action();
  const after = samplesOf(await scrape());
  return Object.fromEntries(
    [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
      .filter(([name, change]) => change !== 0 && !/_bucket|_sum|^process_|timestamp/.test(name))
      .map(([name, change]) => [name.replace("matrixrtc_auth_", ""), change]),
  );
}

/** Resolves once a scrape has a value; each asks the service anew. */
async function shows(name: string, value: number): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while (samplesOf(await scrape()).get(`matrixrtc_auth_${name}`) !== value) {
    deadline.throwIfAborted();
  }
}

function webhook({ sfu, service }: World, changes: { key?: string } = {}) {
  const participant = { identity: "somebody", disconnectReason: "CLIENT_INITIATED" };
  const event = { event: "participant_left", room: "call", participant };
  return sfu.sendWebhook(`${service.url}/sfu_webhook`, event, changes);
}

test("a token is counted, with the calls it took", async () => {
  assertEquals(await counted(() => ask(world.service, "POST", "/get_token", getTokenBody(world))), {
    'requests_total{endpoint="/get_token",result="ok",access="full"}': 1,
    'request_duration_seconds_count{endpoint="/get_token"}': 1,
    'upstream_duration_seconds_count{call="userinfo"}': 1,
    'upstream_duration_seconds_count{call="CreateRoom"}': 1,
  });
});

test("a token that is not good is counted by its server and hop", async () => {
  const body = { ...sfuGetBody(world), openid_token: openIdToken("wrong", world.own.serverName) };
  const risen = await counted(() => ask(world.service, "POST", "/sfu/get", body));
  assertEquals(risen['verification_failures_total{hop="answer",server="own"}'], 1);
  assertEquals(risen['requests_total{endpoint="/sfu/get",result="unauthorized",access="none"}'], 1);
  assertEquals(Object.keys(risen).filter((name) => name.startsWith("upstream_failures")), []);
});

test("webhooks are counted by what became of them, and the last one's time is kept", async () => {
  const name = "matrixrtc_auth_webhook_last_received_timestamp_seconds";
  const before = Date.now() / 1000;
  const risen = await counted(async () => {
    await webhook(world);
    await webhook(world, { key: "another" });
  });
  assertEquals(risen['webhooks_total{result="received"}'], 1);
  assertEquals(risen['webhooks_total{result="rejected"}'], 1);
  assertEquals(risen.webhook_lag_seconds_count, 1);
  const at = samplesOf(await scrape()).get(name)!;
  assert(at >= before && at <= Date.now() / 1000, `${at}`);
});

test("a delegated leave is counted from the hand-over to the leave", async () => {
  const { alice, own, service, sfu } = world;
  const room = liveKitRoom("!metrics:example.com", "m.call#ROOM");
  const identity = hashedIdentity(alice, "DEVICE123", "memberABC");
  const delayId = secret(`delay-id-${crypto.randomUUID()}`);
  own.delayedEvents.schedule(delayId, DELAY_MS);
  const body = {
    ...getTokenBody(world),
    room_id: "!metrics:example.com",
    delay_id: delayId,
    delay_timeout: DELAY_MS,
  };
  const event = (name: string) =>
    sfu.sendWebhook(`${service.url}/sfu_webhook`, {
      event: name,
      room,
      participant: { identity, sid: "PA_1", disconnectReason: "CLIENT_INITIATED" },
    });
  const state = async (name: string) =>
    samplesOf(await scrape()).get(`matrixrtc_auth_delayed_leaves{state="${name}"}`);
  const risen = await counted(async () => {
    await ask(service, "POST", "/get_token", body);
    assertEquals(await state("waiting"), 1);
    const restarted = own.delayedEvents.performed(1);
    await event("participant_joined");
    await restarted;
    // The homeserver has done it before the service knows.
    await shows('restarts_total{result="done"}', 1);
    assertEquals(await state("connected"), 1);
    await event("participant_left");
    await own.delayedEvents.ended(delayId);
    await shows('sends_total{result="done"}', 1);
  });
  assertEquals(await state("connected"), 0);
  assertEquals([
    risen['restarts_total{result="done"}'],
    risen.restart_margin_ratio_count,
    risen['sends_total{result="done"}'],
    risen.send_lateness_seconds_count,
  ], [1, 1, 1, 1]);
});

test("docs/metrics.md has exactly the metrics that are exposed, with their labels", async () => {
  const text = await scrape();
  const guide = await readDocument("docs/metrics.md");
  const rows = guide.rows.filter(({ columns }) => columns[0] === "metric")
    .map(({ cells }) => cells.map((cell) => cell.replaceAll("`", "")));
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => [match[1], match[2]]);
  assertEquals(types, rows.map(([name, type]) => [name, type]));
  const labels = new Map(rows.map(([name, , labels]) => [name, labels!]));
  for (const sample of samplesOf(text).keys()) {
    const name = sample.replace(/\{.*/, "");
    const row = labels.get(name) ?? labels.get(name.replace(/_(bucket|sum|count)$/, ""));
    const used = [...sample.matchAll(/(\w+)="/g)].map((match) => match[1])
      .filter((label) => label !== "le");
    assertEquals(used.join(", "), row, sample);
  }
});

test("nothing that comes from outside adds series, or shows in them", async () => {
  const { service } = world;
  const odd = [
    "/evil-path",
    "/%22%7D%0Aevil_metric%201",
    "/metrics",
    "/_matrix/client/evil/rtc/livekit/get_token",
    "//constructor",
    "/__proto__",
  ];
  const flood = async (round: number) => {
    for (const path of odd) await ask(service, round % 2 ? "POST" : "GET", `${path}${round}`);
    for (const method of ["PUT", "EVIL", "OPTIONS"]) await ask(service, method, "/get_token");
    const openid_token = openIdToken("evil", `evil${round}.invalid`);
    await ask(service, "POST", "/sfu/get", { ...sfuGetBody(world), openid_token });
    const name = 'evil"}\nevil_metric 1';
    await ask(service, "POST", "/sfu/get", {
      ...sfuGetBody(world),
      openid_token: openIdToken("evil", name),
    });
    await ask(service, "POST", "/sfu_webhook", "evil", { authorization: "evil" });
  };
  await flood(0);
  await flood(1);
  const before = [...samplesOf(await scrape()).keys()];
  for (let round = 2; round < 12; round++) await flood(round);
  const text = await scrape();
  assertEquals([...samplesOf(text).keys()], before);
  for (const word of ["evil", "constructor", "proto", world.alice, world.own.serverName]) {
    assertEquals(text.includes(word), false, word);
  }
});

test("metrics are on their own listener only, and nothing else is there", async () => {
  const { service } = world;
  assertEquals((await ask(service, "GET", "/metrics")).status, 404);
  const metrics = { url: metricsUrl };
  assertEquals((await ask(metrics, "POST", "/get_token", getTokenBody(world))).status, 404);
  assertEquals((await ask(metrics, "GET", "/healthz")).status, 404);
  assertMatch((await ask(metrics, "GET", "/")).text, /\/metrics/);
  const head = await ask(metrics, "HEAD", "/metrics");
  assertEquals([head.status, head.text], [200, ""]);
});

test("without the variable nobody listens for metrics", async () => {
  const { MATRIXRTC_METRICS_BIND: _bind, ...env } = world.env;
  await using service = await start({ env });
  assertEquals(METRICS_LISTENING.test(service.output), false);
  assertEquals((await ask(service, "GET", "/metrics")).status, 404);
});

test("metrics on a unix socket, which is gone afterwards", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "metrics.sock");
  await using service = await start({
    env: { ...world.env, MATRIXRTC_METRICS_BIND: `unix:${path}` },
  });
  assertMatch(service.output, new RegExp(`metrics listening on unix:${path}`));
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  const response = await fetch("http://localhost/metrics", { client });
  assertMatch(await response.text(), /^matrixrtc_auth_build_info\{.*\} 1$/m);
  client.close();
  assertEquals(await service.stop(), 0);
  assertEquals([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder);
});

test("an address for metrics that is in use is said to be, with the variable's name", async () => {
  const service = start({
    env: { ...world.env, MATRIXRTC_METRICS_BIND: new URL(metricsUrl).host },
  });
  const error = await service.then(() => undefined, (error: Error) => error);
  assertMatch(`${error}`, /cannot listen on 127\.0\.0\.1:\d+: .*MATRIXRTC_METRICS_BIND/);
});

testSecrets();
