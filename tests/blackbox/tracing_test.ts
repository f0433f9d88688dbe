// Traces from outside: the service sends them to a collector over a socket.

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type CollectedSpan,
  type OtlpCollector,
  startOtlpCollector,
} from "../fakes/otlp_collector.ts";
import { hashedIdentity } from "../../lib/signing/names.ts";
import { SFU_SECRET } from "../fakes/sfu.ts";
import { secret, test, testSecrets } from "./support/watched.ts";
import {
  ALICE,
  ask,
  BOB,
  getTokenBody,
  sfuGetBody,
  startWorld,
  type World,
} from "./support/world.ts";

const COLLECTOR_TOKEN = secret("token-for-the-collector");

interface TracedWorld extends AsyncDisposable {
  readonly world: World;
  readonly collector: OtlpCollector;
}

async function startTraced(env: Record<string, string> = {}): Promise<TracedWorld> {
  const collector = startOtlpCollector();
  const world = await startWorld(({ own }) => ({
    LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer%20${COLLECTOR_TOKEN}`,
    ...env,
  }));
  return {
    world,
    collector,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await collector.close();
    },
  };
}

/** Spans of one trace, the request first. */
function traceOf(spans: readonly CollectedSpan[], requestId: string | null): CollectedSpan[] {
  const root = spans.find(({ attributes }) => attributes["matrixrtc.request_id"] === requestId);
  assert(root !== undefined, `no span of ${requestId}`);
  const others = spans.filter(({ traceId }) => traceId === root.traceId).filter((s) => s !== root);
  return [root, ...others.sort((a, b) => a.start < b.start ? -1 : 1)];
}

test("one trace shows the request, userinfo and CreateRoom", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  const { status, headers } = await ask(world.service, "POST", "/get_token", getTokenBody(world));
  assertEquals(status, 200);
  assertEquals(await world.service.stop(), 0);

  assertEquals(collector.faults, []);
  const requestId = headers.get("x-request-id");
  const [root, userinfo, createRoom, ...more] = traceOf(collector.spans, requestId);
  assertEquals(more, []);
  assert(root && userinfo && createRoom);
  assertEquals(
    [root, userinfo, createRoom].map(({ name, kind, hasFailed }) => [name, kind, hasFailed]),
    [
      ["POST /get_token", "server", false],
      ["userinfo", "client", false],
      ["CreateRoom", "client", false],
    ],
  );
  assertEquals(root.parentSpanId, undefined);
  for (const call of [userinfo, createRoom]) {
    assertEquals(call.parentSpanId, root.spanId);
    assert(root.start <= call.start && call.end <= root.end);
  }
  assert(userinfo.end <= createRoom.start);
  assert(BigInt(Date.now()) * 1_000_000n - root.start < 60_000_000_000n);
  assertEquals(root.attributes, {
    "http.request.method": "POST",
    "http.route": "/get_token",
    "http.response.status_code": 200,
    "matrixrtc.access": "full",
    "matrixrtc.request_id": requestId!,
  });
  assertEquals(userinfo.attributes, {
    "http.request.method": "GET",
    "server.address": "localhost",
    "server.port": world.own.port,
    "http.response.status_code": 200,
  });
  assertEquals(createRoom.attributes["server.port"], world.sfu.port);
  const { "service.instance.id": instance, ...resource } = root.resource;
  assertMatch(String(instance), /^[0-9a-f]{32}$/);
  assertEquals(resource, { "service.name": "matrixrtc-auth", "service.version": "0.1.0" });
});

test("nobody's token, user or room is in a trace, and the collector gets its header", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  await ask(world.service, "POST", "/a/prefix/get_token?access_token=query", getTokenBody(world));
  const bad = { ...getTokenBody(world) };
  bad.openid_token = { ...bad.openid_token, access_token: BOB };
  await ask(world.service, "POST", "/get_token", bad);
  await ask(world.service, "POST", "/no/such/path/hunter2", sfuGetBody(world));
  await ask(world.service, "GET", "/healthz");
  await world.service.stop();

  assertEquals(collector.faults, []);
  const names = collector.spans.filter(({ kind }) => kind === "server").map(({ name }) => name);
  assertEquals(names.sort(), ["POST", "POST /get_token", "POST /get_token"]);
  assertEquals(collector.requests[0]!.headers.get("authorization"), `Bearer ${COLLECTOR_TOKEN}`);
  const text = collector.bodies.join();
  for (
    const word of [ALICE, BOB, SFU_SECRET, "alice", "!room", "memberABC", "hunter2", "query", "eyJ"]
  ) {
    assert(!text.includes(word), `${word} is in ${text}`);
  }
});

test("what fails is marked, with the hop", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  await world.own.close();
  const { status } = await ask(world.service, "POST", "/get_token", getTokenBody(world));
  assertEquals(status, 401);
  await world.service.stop();
  const [root] = collector.spans.filter(({ kind }) => kind === "server");
  const [call] = collector.spans.filter(({ kind }) => kind === "client");
  assertEquals([root?.attributes["error.type"], root?.hasFailed], ["tcp", false]);
  assertEquals([call?.attributes["error.type"], call?.hasFailed], ["tcp", true]);
});

test("requests at once keep their calls apart, and share a CreateRoom", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  world.sfu.settings.delayMs = 50;
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      ask(world.service, "POST", "/get_token", {
        ...getTokenBody(world),
        // Ten users a room.
        room_id: `!room${i % 4}:example.com`,
      })),
  );
  await world.service.stop();
  assertEquals(collector.faults, []);
  for (const { headers, status } of answers) {
    assertEquals(status, 200);
    const [root, ...calls] = traceOf(collector.spans, headers.get("x-request-id"));
    assertEquals(calls.filter(({ name }) => name === "userinfo").length, 1);
    for (const { parentSpanId } of calls) assertEquals(parentSpanId, root!.spanId);
  }
  assertEquals(collector.spans.filter(({ name }) => name === "CreateRoom").length, 4);
  assertEquals(new Set(collector.spans.map(({ spanId }) => spanId)).size, 40 + 40 + 4);
  assertEquals(new Set(collector.spans.map(({ traceId }) => traceId)).size, 40);
});

test("a stranger's traceparent decides nothing", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  await ask(world.service, "POST", "/get_token", getTokenBody(world), {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
  });
  await world.service.stop();
  assert(collector.spans.length > 0);
  for (const span of collector.spans) assert(span.traceId !== traceId);
  for (const { headers } of world.own.requests) assertEquals(headers.get("traceparent"), null);
});

test("a leave is taken over with a trace, and its restart makes none", async () => {
  await using traced = await startTraced({ MATRIXRTC_DELEGATION: "on" });
  const { world, collector } = traced;
  const { own, sfu, service } = world;
  const delayId = secret("delay-id-of-a-traced-leave");
  own.delayedEvents.schedule(delayId, 60_000);
  const body = { ...getTokenBody(world), delay_id: delayId, delay_timeout: 60_000 };
  assertEquals((await ask(service, "POST", "/get_token", body)).status, 200);
  const identity = hashedIdentity(world.alice, "DEVICE123", "memberABC");
  const [room] = sfu.rooms;
  const participant = { identity, sid: "PA_1" };
  await sfu.sendWebhook(`${service.url}/sfu_webhook`, {
    event: "participant_joined",
    room: room!,
    participant,
  });
  await own.delayedEvents.performed(1);
  await service.stop();
  assertEquals(collector.faults, []);
  const names = new Set(collector.spans.map(({ name }) => name));
  assert(names.has("POST /get_token") && names.has("POST /sfu_webhook"));
  assert(!names.has("restart") && !names.has("send"), [...names].join());
  assert(!collector.bodies.join().includes(delayId));
});

test("a collector that is down delays nobody, and is told of once", async () => {
  await using traced = await startTraced();
  const { world, collector } = traced;
  collector.isDown = true;
  await ask(world.service, "POST", "/get_token", getTokenBody(world));
  assertEquals(await world.service.stop(), 0);
  const told = world.service.output.match(/traces do not get to/g);
  assertEquals(told?.length, 1);
  assertMatch(world.service.output, /3 spans of traces did not get to http:\/\/127/);
});

test("a collector that hangs holds the stop up no longer than the drain may take", async () => {
  await using traced = await startTraced({ MATRIXRTC_SHUTDOWN_SECONDS: "1" });
  const { world, collector } = traced;
  const release = Promise.withResolvers<undefined>();
  collector.settings.respond = () => release.promise;
  await ask(world.service, "POST", "/get_token", getTokenBody(world));
  const startedAt = performance.now();
  assertEquals(await world.service.stop(), 0);
  assert(performance.now() - startedAt < 2_500);
  release.resolve(undefined);
  assertMatch(world.service.output, /3 spans of traces did not get to/);
});

testSecrets();
