import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { RequestContext } from "../../lib/http/endpoint.ts";
import { createTokenEndpoint } from "../../lib/http/token_endpoint.ts";
import { InvalidRequestError, UnauthorizedError } from "../../lib/matrix/errors.ts";
import { parseSfuGetRequest } from "../../lib/matrix/wire.ts";
import { liveKitRoom } from "../../lib/signing/names.ts";
import type { TokenExchange } from "../../lib/usecases/exchange_token.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

const BODY = {
  room: "!room:example.com",
  device_id: "DEVICE",
  openid_token: { access_token: "openid-secret", matrix_server_name: "example.org" },
};
const EXCHANGE: TokenExchange = {
  sfuUrl: "wss://sfu.example.org",
  joinToken: "join-secret",
  room: liveKitRoom("!room:example.com", "m.call#ROOM"),
  userId: "@alice:example.org",
  access: "full",
  isLeaveDelegated: false,
};

async function createWorld(exchange: () => Promise<TokenExchange>) {
  const clock = createManualClock();
  const { log, logText } = await captureLog({
    level: "debug",
    format: "text",
    clock,
  });
  const deadlines: number[] = [];
  const endpoint = createTokenEndpoint({
    parse: parseSfuGetRequest,
    exchange: (_body, deadline) => {
      deadlines.push(deadline);
      return exchange();
    },
    log,
    clock,
    pseudonym: (identifier) => `<${identifier.length}>`,
  });
  const context: RequestContext = { requestId: "id0", route: "/sfu/get", facts: {} };
  return {
    clock,
    context,
    deadlines,
    ask: async (body: unknown) =>
      await endpoint(
        new Request("http://a/sfu/get", { method: "POST", body: JSON.stringify(body) }),
        context,
      ),
    logText,
  };
}

Deno.test("createTokenEndpoint() answers url and jwt, and nothing else", async () => {
  const { ask } = await createWorld(() => Promise.resolve(EXCHANGE));
  const { status, contentType, body } = await ask(BODY);
  assertEquals([status, contentType], [200, "application/json"]);
  assertEquals(JSON.parse(body!), { url: "wss://sfu.example.org", jwt: "join-secret" });
});

Deno.test("createTokenEndpoint() logs that a leave was taken over", async () => {
  const world = await createWorld(() => Promise.resolve({ ...EXCHANGE, isLeaveDelegated: true }));
  await world.ask(BODY);
  assertMatch(await world.logText(), / access=full leave=delegated server=/);
});

Deno.test("createTokenEndpoint() logs one line without a secret or a name", async () => {
  const world = await createWorld(() => {
    world.clock.advance(12);
    return Promise.resolve(EXCHANGE);
  });
  await world.ask(BODY);
  const text = await world.logText();
  assertMatch(
    text,
    /^\S+ INFO {4}issued a join token endpoint=\/sfu\/get access=full server=example\.org ms=12 user="<18>" room=\S+ request=id0\n$/,
  );
  assert(!/openid-secret|join-secret|alice|DEVICE|!room/.test(text));
});

Deno.test("createTokenEndpoint() gives the whole request fifteen seconds from its start", async () => {
  const { ask, clock, deadlines } = await createWorld(() => Promise.resolve(EXCHANGE));
  clock.advance(1_000);
  await ask(BODY);
  assertEquals(deadlines, [16_000]);
});

Deno.test("createTokenEndpoint() leaves a failed exchange to the handler, with the server", async () => {
  const world = await createWorld(() => Promise.reject(new UnauthorizedError()));
  await assertRejects(() => world.ask(BODY), UnauthorizedError);
  assertEquals(world.context.facts, { server: "example.org" });
  assertEquals(await world.logText(), "");
});

Deno.test("createTokenEndpoint() exchanges nothing for a body that it cannot read", async () => {
  const { ask, deadlines } = await createWorld(() => Promise.resolve(EXCHANGE));
  for (const body of [[], "text", {}, { ...BODY, room: 1 }]) {
    await assertRejects(() => ask(body), InvalidRequestError);
  }
  assertEquals(deadlines, []);
});
