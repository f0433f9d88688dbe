// `/readyz` and the page for people from outside: what they tell of trouble, whom they ask, and that
// nothing of the inside is on them.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { secret, start, test, testSecrets } from "./support/watched.ts";
import { AS_TOKEN, ask, startWorld, type World } from "./support/world.ts";

const HS_TOKEN = secret("hs-token-0123456789");

const startHomeserverWorld = () =>
  startWorld(({ own }) => ({
    LIVEKIT_CS_API_URL_OVERRIDES: `${own.serverName}=${own.url}`,
    LIVEKIT_AS_TOKEN: AS_TOKEN,
    LIVEKIT_HS_TOKEN: HS_TOKEN,
    LIVEKIT_HS_SERVER_NAME: own.serverName,
    MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: "0",
  }));

async function look({ url }: { url: string }) {
  const page = await ask({ url }, "GET", "/", undefined, { accept: "text/html" });
  const ready = await ask({ url }, "GET", "/readyz");
  return { page, status: ready.status, checks: ready.json.checks as Record<string, string> };
}

function sendWebhook({ sfu, service }: World, changes: { key?: string } = {}) {
  return sfu.sendWebhook(`${service.url}/sfu_webhook`, { event: "room_started" }, changes);
}

/** Neither where anything is, nor whose it is, nor what anybody said. */
function assertPublic({ sfu, own }: World, text: string): void {
  for (const word of [new URL(sfu.apiUrl).host, own.serverName, "127.0.0.1", sfu.key, sfu.secret]) {
    assert(!text.includes(word), word);
  }
  for (const word of [AS_TOKEN, HS_TOKEN, "marker"]) assert(!text.includes(word), word);
}

test("a thousand probes and readers are one call to the SFU, and one to the homeserver", async () => {
  await using world = await startHomeserverWorld();
  await world.own.appService.asked(1);
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => ask(world.service, "GET", n % 2 ? "/" : "/readyz")),
  );
  assertEquals(new Set(answers.map(({ status }) => status)), new Set([200]));
  // A slow machine may take longer than results are kept.
  const calls = world.sfu.count("ListRooms");
  assert(calls >= 1 && calls <= 4, `${calls} calls`);
  assert(world.own.appService.questions.length - 1 <= calls);
});

test("all that works is said to, in JSON and on the page", async () => {
  await using world = await startHomeserverWorld();
  await sendWebhook(world);
  const { page, status, checks } = await look(world.service);
  assertEquals([status, checks.sfu, checks.homeserver], [200, "ok", "ok"]);
  assertEquals([checks.webhooks, checks.delayed_leaves], ["ok", "ok"]);
  assertStringIncludes(page.text, "The service works");
  assertMatch(page.headers.get("content-security-policy")!, /style-src 'sha256-[^']+'/);
  assertEquals(page.headers.get("referrer-policy"), "no-referrer");
  assertPublic(world, page.text);
});

test("a homeserver that refuses and a wrong webhook key are warnings, and the replica stays", async () => {
  await using world = await startHomeserverWorld();
  world.own.appService.settings.hasScope = false;
  await sendWebhook(world, { key: "another" });
  const { page, status, checks } = await look(world.service);
  assertEquals([status, checks.sfu, checks.homeserver], [200, "ok", "warning"]);
  assertEquals(checks.webhooks, "warning");
  assertStringIncludes(page.text, "The service works, with warnings");
  assertStringIncludes(page.text, "webhook.api_key");
  assertPublic(world, page.text);
  await world.service.waitForLog(/ready, but: is_joined at .* check=homeserver/);
});

test("an SFU that refuses the key is 503; the page has the remedy, the log alone the reason", async () => {
  await using world = await startWorld();
  world.sfu.settings.respond = (request) =>
    request.url.endsWith("/ListRooms")
      ? new Response("invalid API key: marker", { status: 401 })
      : undefined;
  const { page, status, checks } = await look(world.service);
  assertEquals([status, checks.sfu], [503, "failed"]);
  assertEquals(page.status, 200);
  assertStringIncludes(page.text, "The service does not work");
  assertStringIncludes(page.text, "LIVEKIT_KEY is not in LiveKit's keys");
  assertPublic(world, page.text);
  await world.service.waitForLog(/not ready: ListRooms at http.* check=sfu hop=answer/);
});

test("an SFU that is silent does not hold up the page", async () => {
  await using world = await startWorld();
  world.sfu.settings.isHanging = true;
  const { text, status } = await ask(world.service, "GET", "/", undefined, { accept: "text/html" });
  assertEquals(status, 200);
  assertStringIncludes(text, "Not known yet");
});

test("without any SFU it is 503 at once", async () => {
  await using service = await start({
    env: {
      LIVEKIT_URL: "ws://127.0.0.1:9",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: secret("a-secret-of-this-test-that-is-long-enough"),
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
    },
  });
  const { page, status, checks } = await look(service);
  assertEquals([status, checks.sfu], [503, "failed"]);
  assert(!page.text.includes("127.0.0.1"));
});

testSecrets();
