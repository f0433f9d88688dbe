import { assertEquals, assertMatch } from "@std/assert";
import { loadConfig } from "../../lib/config/load_config.ts";
import { UpstreamError } from "../../lib/matrix/errors.ts";
import type { HttpClient, HttpRequest } from "../../lib/net/http_client.ts";
import { createMemoryStore } from "../../lib/delayed_leave/stores/memory_store.ts";
import { createService } from "../../lib/service.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const BODY = JSON.stringify({
  room_id: "!room:example.com",
  slot_id: "m.call#ROOM",
  openid_token: { access_token: "openid-secret", matrix_server_name: "example.org" },
  member: { id: "m", claimed_user_id: "@alice:example.org", claimed_device_id: "D" },
});

/** The whole service, but for the network: what leaves it waits for an answer of the test. */
async function createWorld() {
  const clock = createManualClock();
  const { log, logText } = await captureLog({
    level: "debug",
    format: "text",
    clock,
  });
  const sent: (HttpRequest & { answer(value: unknown): void })[] = [];
  const arrivals: (() => void)[] = [];
  const client: HttpClient = {
    request: (target, request) =>
      new Promise((resolve, reject) => {
        clock.after(request.timeoutMs, () => {
          reject(new UpstreamError("http", `no answer from ${target.hostHeader}`));
        });
        const answer = (value: unknown) =>
          resolve({
            status: 200,
            headers: {},
            body: new TextEncoder().encode(JSON.stringify(value)),
          });
        sent.push({ ...request, answer });
        arrivals.shift()?.();
      }),
    close: () => Promise.resolve(),
  };
  const { config } = loadConfig({
    env: {
      LIVEKIT_URL: "wss://sfu.example.org",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
      MATRIXRTC_FEDERATION_URL_OVERRIDES: "example.org=http://homeserver.example",
    },
    readFile: () => "",
  });
  const { handle } = createService(config, log, {
    clock,
    client,
    lookupSrv: () => Promise.resolve([]),
    store: createMemoryStore(),
    random: () => 0,
  });
  return {
    clock,
    sent,
    handle,
    /** Resolves with the next request that leaves the service. */
    async nextRequest() {
      const count = sent.length;
      await new Promise<void>((resolve) => arrivals.push(resolve));
      return sent[count]!;
    },
    logText,
  };
}

function post(body: BodyInit): Request {
  return new Request("http://service.example/get_token", { method: "POST", body });
}

async function summaryOf(response: Response): Promise<[number, string, string]> {
  const { errcode, error } = await response.json();
  return [response.status, errcode, error];
}

Deno.test("a homeserver has ten seconds, then the request is 401", async () => {
  const { clock, handle, nextRequest, sent, logText } = await createWorld();
  const arriving = nextRequest();
  const response = handle(post(BODY));
  assertEquals((await arriving).timeoutMs, 10_000);
  clock.advance(10_000);
  assertEquals(await summaryOf(await response), [
    401,
    "M_UNAUTHORIZED",
    "The request could not be authorised.",
  ]);
  assertEquals(sent.length, 1);
  assertMatch(await logText(), /no answer from homeserver\.example .* hop=http /);
});

Deno.test("an SFU has five seconds, then the request is 500", async () => {
  const { clock, handle, nextRequest, logText } = await createWorld();
  const asking = nextRequest();
  const response = handle(post(BODY));
  const userinfo = await asking;
  const creating = nextRequest();
  userinfo.answer({ sub: "@alice:example.org" });
  assertEquals((await creating).timeoutMs, 5_000);
  clock.advance(5_000);
  assertEquals(await summaryOf(await response), [500, "M_UNKNOWN", "Unable to create room on SFU"]);
  assertMatch(await logText(), /CreateRoom at https:\/\/sfu\.example\.org: no answer .* hop=http /);
});

Deno.test("a request has fifteen seconds in all, however slow its body, homeserver and SFU are", async () => {
  const { clock, handle, nextRequest, logText } = await createWorld();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const asking = nextRequest();
  const response = handle(post(readable));
  clock.advance(4_000);
  writer.write(new TextEncoder().encode(BODY));
  writer.close();
  const userinfo = await asking;
  // The fifteen seconds count from the beginning, so eleven are left; no hop gets more than its own.
  assertEquals(userinfo.timeoutMs, 10_000);
  const creating = nextRequest();
  clock.advance(9_000);
  userinfo.answer({ sub: "@alice:example.org" });
  await creating;
  let isAnswered = false;
  response.then(() => isAnswered = true);
  clock.advance(1_999);
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assertEquals(isAnswered, false);
  clock.advance(1);
  assertEquals(await summaryOf(await response), [500, "M_UNKNOWN", "Unable to create room on SFU"]);
  assertMatch(await logText(), /CreateRoom did not end within the request's time/);
});

Deno.test("a body has ten seconds, then the request is 408 and nobody is asked", async () => {
  const { clock, handle, sent } = await createWorld();
  const response = handle(post(new ReadableStream()));
  await clock.waitForTimer(10_000);
  clock.advance(10_000);
  const [status, errcode] = await summaryOf(await response);
  assertEquals([status, errcode, sent.length], [408, "M_UNKNOWN", 0]);
});

Deno.test("a room that was created a moment ago is not created again", async () => {
  const { clock, handle, nextRequest, sent } = await createWorld();
  const asking = nextRequest();
  const response = handle(post(BODY));
  const userinfo = await asking;
  const creating = nextRequest();
  userinfo.answer({ sub: "@alice:example.org" });
  const create = await creating;
  create.answer({ sid: "RM_1", name: JSON.parse(create.body!).name });
  assertEquals((await response).status, 200);
  const again = nextRequest();
  const second = handle(post(BODY));
  (await again).answer({ sub: "@alice:example.org" });
  assertEquals((await second).status, 200);
  assertEquals(sent.filter(({ method }) => method === "POST").length, 1);
  clock.advance(2_000);
});
