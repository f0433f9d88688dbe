import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ClientApiOptions, createClientApi } from "../../lib/homeserver/client_api.ts";
import { startHomeserver } from "../fakes/homeserver.ts";
import { failureOf, hopOf, startClient } from "../net/fixtures.ts";
import { createManualClock } from "../support/manual_clock.ts";
import { createTestCa } from "../support/test_ca.ts";
import { type Answer, createFakeClient, describeTarget } from "../verification/fixtures.ts";
import { settle } from "../delayed_leave/homeserver/virtual_time.ts";

const PATH = "/.well-known/matrix/client";
const HOUR_MS = 3_600_000;

/** The answer of a well-known file. */
function baseUrl(url: unknown): Answer {
  return { body: JSON.stringify({ "m.homeserver": { base_url: url } }) };
}

/** A finder over a web made of a table, which a test may change. */
function createWorld(web: Record<string, Answer>, options: Partial<ClientApiOptions> = {}) {
  const clock = createManualClock();
  const client = createFakeClient((what) => web[what]);
  const api = createClientApi({
    client,
    clock,
    overrides: new Map(),
    isOwn: (serverName) => serverName.startsWith("own."),
    ...options,
  });
  const where = async (serverName: string) => {
    const { target, basePath } = await api.resolve(serverName);
    return `${target.protocol} ${describeTarget(target)} | ${basePath}`;
  };
  return { api, client, clock, web, where };
}

const found: [string, string, string][] = [
  [
    "example.org",
    "https://matrix.example.org",
    "https matrix.example.org 443 | tls matrix.example.org | host matrix.example.org | ",
  ],
  [
    "example.org",
    "https://matrix.example.org/",
    "https matrix.example.org 443 | tls matrix.example.org | host matrix.example.org | ",
  ],
  [
    "example.org",
    "https://a.example:8448/matrix//",
    "https a.example 8448 | tls a.example | host a.example:8448 | /matrix",
  ],
  ["example.org:8448", "https://[2a01::1]", "https 2a01::1 443 | tls 2a01::1 | host [2a01::1] | "],
  ["[2a01::2]", "https://a.example", "https a.example 443 | tls a.example | host a.example | "],
  [
    "own.example",
    "http://matrix.local:8008/",
    "http matrix.local 8008 | tls matrix.local | host matrix.local:8008 | ",
  ],
];
for (const [serverName, url, expected] of found) {
  Deno.test(`resolve() finds ${url} for ${serverName}`, async () => {
    const { where, client } = createWorld({ [`${serverName}${PATH}`]: baseUrl(url) });
    assertEquals(await where(serverName), expected);
    assertEquals(client.calls.map(({ what }) => what), [`${serverName}${PATH}`]);
    assertEquals(client.calls[0]!.target.protocol, "https");
  });
}

const refused: Record<string, Answer> = {
  "404": { status: 404, body: baseUrl("https://a.example").body! },
  "500": { status: 500 },
  "204": { status: 204 },
  "HTML": { body: "<!doctype html>" },
  "nothing": {},
  "null": { body: "null" },
  "a list": { body: "[]" },
  "no m.homeserver": { body: "{}" },
  "null in m.homeserver": { body: '{"m.homeserver":null}' },
  "no base_url": { body: '{"m.homeserver":{}}' },
  "a number": baseUrl(5),
  "an empty URL": baseUrl(""),
  "a host": baseUrl("matrix.example.org"),
  "a file": baseUrl("file:///etc/passwd"),
  "user info": baseUrl("https://user@a.example"),
  "a password": baseUrl("https://:secret-1@a.example"),
  "a query": baseUrl("https://a.example/?a=b"),
  "a fragment": baseUrl("https://a.example/#a"),
  "a port too high": baseUrl("https://a.example:65536"),
  "a blank": baseUrl("https://a b.example"),
};
for (const [what, answer] of Object.entries(refused)) {
  Deno.test(`resolve() refuses ${what}`, async () => {
    const { api } = createWorld({ [`example.org${PATH}`]: answer });
    const [hop, message] = await hopOf(api.resolve("example.org"));
    assertEquals([hop, message.includes("secret-1")], ["answer", false]);
    assert(message.includes(`example.org${PATH}: `), message);
    assertEquals(api.peek("example.org"), undefined);
  });
}

Deno.test("resolve() lets delay ids go over plain http to the operator's own servers only", async () => {
  const { api } = createWorld({ [`example.org${PATH}`]: baseUrl("http://matrix.example.org") });
  const [hop, message] = await hopOf(api.resolve("example.org"));
  assertEquals(hop, "policy");
  assertMatch(message, /is not an https URL/);
});

for (
  const serverName of [
    "",
    "a/b",
    "example.org/..",
    "user@example.org",
    "a.example#",
    "xn--a.example",
  ]
) {
  Deno.test(`resolve() does not ask for ${JSON.stringify(serverName)}`, async () => {
    const { api, client } = createWorld({});
    await failureOf(api.resolve(serverName));
    assertEquals(client.calls, []);
  });
}

Deno.test("resolve() follows redirects, none of them to a private address of others' choosing", async () => {
  const { api, client, where } = createWorld({
    [`example.org${PATH}`]: { status: 301, headers: { location: "https://www.example.org/x" } },
    "www.example.org/x": baseUrl("https://matrix.example.org"),
    [`own.example${PATH}`]: { status: 301, headers: { location: "https://www.own.example/x" } },
    "www.own.example/x": baseUrl("https://matrix.own.example"),
  });
  await where("example.org");
  await where("own.example");
  const isPrivate = client.calls.map(({ target }) => target.mayBePrivate);
  assertEquals(isPrivate, [false, false, true, true]);
  assertEquals((await api.resolve("example.org")).target.mayBePrivate, false);
  assertEquals((await api.resolve("own.example")).target.mayBePrivate, true);
});

Deno.test("resolve() takes the operator's word before any other", async () => {
  const overrides = new Map([["example.org", "http://synapse:8008/prefix/"]]);
  const { api, client, where } = createWorld({}, { overrides });
  assertEquals(
    await where("example.org"),
    "http synapse 8008 | tls synapse | host synapse:8008 | /prefix",
  );
  const { target } = await api.resolve("example.org");
  assertEquals([target.mayBePrivate, target.maxConnections], [true, 64]);
  assertEquals([client.calls, api.peek("example.org")?.basePath], [[], "/prefix"]);
});

Deno.test("resolve() remembers for four hours, and nobody waits for the look-up after that", async () => {
  const { api, client, clock, web, where } = createWorld({
    [`example.org${PATH}`]: baseUrl("https://old.example"),
  });
  assertEquals(api.peek("example.org"), undefined);
  await where("example.org");
  clock.advance(4 * HOUR_MS - 1);
  web[`example.org${PATH}`] = baseUrl("https://new.example");
  assertMatch(await where("example.org"), /old/);
  assertEquals(client.calls.length, 1);
  clock.advance(1);
  assertMatch(await where("example.org"), /old/);
  await settle();
  assertMatch(await where("example.org"), /new/);
  assertEquals([client.calls.length, api.peek("example.org")?.target.hostHeader], [
    2,
    "new.example",
  ]);
});

Deno.test("resolve() goes on with what it knows while the file cannot be had", async () => {
  const { client, clock, web, where } = createWorld({
    [`example.org${PATH}`]: baseUrl("https://old.example"),
  });
  await where("example.org");
  const outages: (Answer | undefined)[] = [undefined, { status: 404 }, baseUrl("http://a.example")];
  for (const outage of outages) {
    clock.advance(4 * HOUR_MS);
    if (outage === undefined) delete web[`example.org${PATH}`];
    else web[`example.org${PATH}`] = outage;
    for (let i = 0; i < 3; i++) {
      assertMatch(await where("example.org"), /old/);
      await settle();
    }
  }
  // Once each time, not for each call; and again after a minute.
  assertEquals(client.calls.length, 4);
  clock.advance(60_000);
  web[`example.org${PATH}`] = baseUrl("https://new.example");
  await where("example.org");
  await settle();
  assertMatch(await where("example.org"), /new/);
});

Deno.test("resolve() remembers no failures, and shares a look-up among those who ask at once", async () => {
  const { api, client, web } = createWorld({});
  await Promise.all([1, 2, 3].map(() => failureOf(api.resolve("example.org"))));
  assertEquals(client.calls.length, 1);
  web[`example.org${PATH}`] = baseUrl("https://a.example");
  await Promise.all([1, 2, 3].map(() => api.resolve("example.org")));
  assertEquals(client.calls.length, 2);
});

Deno.test("suspect() lets a server be looked up again, once a minute at most", async () => {
  const { api, client, clock, web, where } = createWorld({
    [`example.org${PATH}`]: baseUrl("https://old.example"),
  });
  api.suspect("example.org");
  await where("example.org");
  web[`example.org${PATH}`] = baseUrl("https://new.example");
  clock.advance(59_999);
  api.suspect("example.org");
  await where("example.org");
  assertEquals(client.calls.length, 1);
  clock.advance(1);
  for (let i = 0; i < 3; i++) {
    api.suspect("example.org");
    assertMatch(await where("example.org"), i === 0 ? /old/ : /new/);
    await settle();
  }
  assertEquals(client.calls.length, 2);
});

Deno.test("resolve() finds a homeserver over TLS, at the port that its name has", async () => {
  const ca = await createTestCa();
  await using homeserver = startHomeserver({ users: {}, tls: await ca.issue(["localhost"]) });
  const { serverName, settings } = homeserver;
  settings.clientBaseUrl = `https://${serverName}/`;
  const lookup = () => Promise.resolve(["127.0.0.1"]);
  await using client = startClient({ ca: [ca.pem], lookup });
  const { where } = createWorld({}, { client, isOwn: () => true });
  const { port } = homeserver;
  const expected = `https localhost ${port} | tls localhost | host localhost:${port} | `;
  assertEquals(await where(serverName), expected);
  const others = createWorld({}, { client, isOwn: () => false });
  const [hop] = await hopOf(others.api.resolve(serverName));
  assertEquals([hop, homeserver.requests.length], ["policy", 1]);
});
