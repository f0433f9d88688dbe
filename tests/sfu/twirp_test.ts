import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createAddressPolicy } from "../../lib/net/address_policy.ts";
import { createConnect } from "../../lib/net/connect.ts";
import { lookupAddresses } from "../../lib/net/dial.ts";
import { targetOfUrl } from "../../lib/net/target.ts";
import { installTlsTrust } from "../../lib/net/tls_trust.ts";
import { createUndiciClient } from "../../lib/net/undici_client.ts";
import { describeError } from "../../lib/observability/logger.ts";
import { Secret } from "../../lib/secret.ts";
import { createTwirp, SfuError } from "../../lib/sfu/twirp.ts";
import { createSigner } from "../../lib/signing/hs256.ts";
import { createServiceTokens } from "../../lib/signing/service_token.ts";
import { readRequestHead, startRawServer, writeAll } from "../fakes/raw_server.ts";
import { SFU_SECRET, startSfu } from "../fakes/sfu.ts";
import { createManualClock } from "../support/manual_clock.ts";

const TOKEN = "header.payload.signature-of-the-service-token";
const CREATE = { method: "CreateRoom", grant: "roomCreate", body: { name: "room" } } as const;

/** Everything real but the clock, which stands still: an exchange ends by itself or by the test. */
function createWorld(apiUrl: string, secret?: string) {
  const clock = createManualClock(Date.now());
  const client = createUndiciClient({
    clock,
    connect: createConnect({
      clock,
      lookup: lookupAddresses,
      policy: createAddressPolicy([]),
      trust: installTlsTrust([], []),
      proxy: { except: [] },
      insecureSkipVerifyTls: false,
    }),
  });
  const serviceToken = secret === undefined
    ? () => TOKEN
    : createServiceTokens({ apiKey: "devkey", sign: createSigner(new Secret(secret)), clock });
  const twirp = createTwirp({ client, ...targetOfUrl(apiUrl, 4), serviceToken });
  return { clock, twirp, [Symbol.asyncDispose]: () => client.close() };
}

/** Calls an SFU that answers every request with the given bytes. */
async function callAnswering(answer: string): Promise<SfuError> {
  await using server = startRawServer({
    async handle(connection) {
      await readRequestHead(connection);
      await writeAll(connection, answer);
    },
  });
  await using world = createWorld(`http://${server.host}`);
  return await assertRejects(() => world.twirp(CREATE), SfuError);
}

function httpAnswer(status: string, body: string, headers = ""): string {
  const length = new TextEncoder().encode(body).length;
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;
}

Deno.test("createTwirp() calls the method with grant and body, behind a path prefix", async () => {
  await using sfu = startSfu({ prefix: "/livekit/sfu" });
  await using world = createWorld(sfu.apiUrl, SFU_SECRET);
  const room = await world.twirp(CREATE);
  assertEquals(room.name, "room");
  assertEquals(sfu.requests.map(({ method, path }) => [method, path]), [
    ["POST", "/livekit/sfu/twirp/livekit.RoomService/CreateRoom"],
  ]);
  assertEquals(sfu.calls.map(({ body, claims }) => [body, claims.video]), [
    [{ name: "room" }, { roomCreate: true }],
  ]);
});

Deno.test("createTwirp() tells LiveKit's own code, whatever the status says", async () => {
  const body = JSON.stringify({ code: "not_found", msg: "requested room does not exist" });
  for (const status of ["404 Not Found", "401 Unauthorized", "500 Oops"]) {
    const error = await callAnswering(httpAnswer(status, body));
    assertEquals([error.hop, error.twirpCode], ["answer", "not_found"]);
    assertStringIncludes(error.message, "not_found: requested room does not exist");
  }
});

const REFUSALS = [
  {
    name: "a proxy's page for an unknown path",
    answer: httpAnswer("404 Not Found", "<html>no such page</html>"),
    says: ["HTTP 404", "a web page", "proxy"],
  },
  {
    name: "a page with status 200",
    answer: httpAnswer("200 OK", "<html>welcome</html>"),
    says: ["HTTP 200", "a web page"],
  },
  {
    name: "LiveKit's text for a wrong key",
    answer: httpAnswer("401 Unauthorized", `invalid token: ${TOKEN}, error: bad signature`),
    says: ["HTTP 401", "plain text", "check key, secret and clock"],
  },
  {
    name: "other JSON",
    answer: httpAnswer("502 Bad Gateway", '{"error":"upstream"}'),
    says: ["HTTP 502", "other JSON than LiveKit's"],
  },
  { name: "a list", answer: httpAnswer("200 OK", "[1]"), says: ["HTTP 200", "other JSON"] },
  { name: "null", answer: httpAnswer("200 OK", "null"), says: ["HTTP 200", "plain text"] },
  { name: "nothing", answer: httpAnswer("200 OK", ""), says: ["HTTP 200", "an empty body"] },
  {
    name: "a redirect",
    answer: httpAnswer("307 Temporary Redirect", "", "Location: https://elsewhere.example/\r\n"),
    says: ["HTTP 307", "an empty body"],
  },
  {
    name: "bytes that are no text",
    answer: httpAnswer("200 OK", "\u0000\u0001\u0002"),
    says: ["HTTP 200", "plain text"],
  },
  {
    name: "a Twirp error that repeats the token",
    answer: httpAnswer(
      "401 Unauthorized",
      JSON.stringify({ code: "unauthenticated", msg: `Bearer ${TOKEN} is not good` }),
    ),
    says: ["unauthenticated: Bearer [token] is not good"],
  },
  {
    name: "a Twirp error of many words and lines",
    answer: httpAnswer(
      "500 Oops",
      JSON.stringify({ code: "internal", msg: `a\n${"x".repeat(10_000)}` }),
    ),
    says: [`internal: a\\u{a}${"x".repeat(188)}…`],
  },
  {
    name: "a Twirp error whose text is none",
    answer: httpAnswer("500 Oops", JSON.stringify({ code: "internal", msg: { token: TOKEN } })),
    says: ["LiveKit says internal"],
  },
];

for (const { name, answer, says } of REFUSALS) {
  Deno.test(`createTwirp() reports ${name} without the token`, async () => {
    const error = await callAnswering(answer);
    assertEquals(error.hop, "answer");
    assertStringIncludes(error.message, "CreateRoom at http://127.0.0.1:");
    for (const text of says) assertStringIncludes(error.message, text);
    assert(!Deno.inspect(error).includes(TOKEN));
  });
}

Deno.test("createTwirp() reports neither the participant nor half a token", async () => {
  const identity = "@alice:example.org:DEVICE";
  const msg = `no eyJhbGciOiJIUzI1NiJ9.ey for ${identity}`;
  const respond = () => Response.json({ code: "internal", msg }, { status: 500 });
  await using sfu = startSfu({ respond });
  await using world = createWorld(sfu.apiUrl, SFU_SECRET);
  const grant = { roomAdmin: "room" };
  const call = { method: "GetParticipant", grant, body: { room: "room", identity } };
  const { message } = await assertRejects(() => world.twirp(call), SfuError);
  assertStringIncludes(message, "LiveKit says internal: no [token] for [identity]");
});

const BREAKS = [
  { name: "garbage in place of HTTP", answer: "SSH-2.0-OpenSSH_9.9\r\n" },
  { name: "half an answer", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" },
  {
    name: "an answer that is too large",
    answer: httpAnswer("200 OK", `{"a":"${"x".repeat(1024 * 1024)}"}`),
  },
  { name: "an endless header", answer: `HTTP/1.1 200 OK\r\nX: ${"x".repeat(64 * 1024)}` },
  { name: "an end without an answer", answer: "" },
];

for (const { name, answer } of BREAKS) {
  Deno.test(`createTwirp() reports ${name} as a fault of HTTP`, async () => {
    const error = await callAnswering(answer);
    assertEquals(error.hop, "http");
    assertStringIncludes(error.message, "CreateRoom at http://127.0.0.1:");
    assert(!Deno.inspect(error).includes(TOKEN));
  });
}

for (
  const { name, head, says } of [
    { name: "a silent SFU", head: "", says: "no answer from" },
    {
      name: "an SFU that stops halfway",
      head: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
      says: "from",
    },
  ]
) {
  Deno.test(`createTwirp() gives up on ${name} after five seconds`, async () => {
    const asked = Promise.withResolvers<void>();
    await using server = startRawServer({
      async handle(connection) {
        await readRequestHead(connection);
        await writeAll(connection, head);
        asked.resolve();
        await new Promise(() => {});
      },
    });
    await using world = createWorld(`http://${server.host}`);
    const call = world.twirp(CREATE);
    call.catch(() => {});
    await asked.promise;
    world.clock.advance(4_999);
    assertEquals(
      await Promise.race([call.catch(() => "failed"), Promise.resolve("waiting")]),
      "waiting",
    );
    world.clock.advance(1);
    const error = await assertRejects(() => call, SfuError, says);
    assertEquals(error.hop, "http");
    assertStringIncludes(error.message, "5.0 s");
  });
}

Deno.test("createTwirp() reports a port where nobody listens", async () => {
  const server = startRawServer({ handle() {} });
  await server.close();
  await using world = createWorld(`http://${server.host}`);
  const error = await assertRejects(() => world.twirp(CREATE), SfuError);
  assertEquals(error.hop, "tcp");
  assertStringIncludes(describeError(error), server.host);
});

Deno.test("createTwirp() does not hide a fault of its own client", async () => {
  const twirp = createTwirp({
    client: {
      request: () => Promise.reject(new TypeError("bug")),
      close: () => Promise.resolve(),
    },
    ...targetOfUrl("http://sfu.example", 1),
    serviceToken: () => TOKEN,
  });
  const error = await assertRejects(() => twirp(CREATE), TypeError, "bug");
  assert(!(error instanceof SfuError));
});
