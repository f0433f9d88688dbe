import { assertEquals, assertRejects } from "@std/assert";
import { createTestCa } from "../support/test_ca.ts";
import { startHomeserver } from "./homeserver.ts";

const USERINFO = "/_matrix/federation/v1/openid/userinfo";

Deno.test("startHomeserver() answers as Synapse does", async () => {
  const ca = await createTestCa();
  await using homeserver = startHomeserver({
    tls: await ca.issue(["localhost"]),
    users: { "to/ken&1": "@alice:example.org" },
  });
  using client = Deno.createHttpClient({ caCerts: [ca.pem] });
  const cases = [
    { path: `${USERINFO}?access_token=to%2Fken%261`, status: 200, answer: "@alice:example.org" },
    { path: `${USERINFO}?access_token=other`, status: 401, answer: "M_UNKNOWN_TOKEN" },
    { path: `${USERINFO}?access_token=`, status: 401, answer: "M_UNKNOWN_TOKEN" },
    { path: `${USERINFO}?access_token=constructor`, status: 401, answer: "M_UNKNOWN_TOKEN" },
    { path: USERINFO, status: 401, answer: "M_MISSING_TOKEN" },
    { path: "/.well-known/matrix/server", status: 404, answer: "M_UNRECOGNIZED" },
    { path: "/.well-known/matrix/client", status: 404, answer: "M_UNRECOGNIZED" },
    { path: "/elsewhere", status: 404, answer: "M_UNRECOGNIZED" },
  ];
  for (const { path, status, answer } of cases) {
    const response = await fetch(`https://${homeserver.serverName}${path}`, { client });
    const body = await response.json();
    assertEquals([path, response.status, body.sub ?? body.errcode], [path, status, answer]);
  }
  assertEquals(homeserver.requests.map(({ path }) => path), cases.map(({ path }) => path));
});

Deno.test("startHomeserver() tells connections from requests, and by which name they came", async () => {
  const ca = await createTestCa();
  await using homeserver = startHomeserver({
    tls: await ca.issue(["localhost", "127.0.0.1"]),
    users: { "token-1": "@alice:example.org" },
  });
  const ask = async (origin: string, caCerts: string[], times: number) => {
    using client = Deno.createHttpClient({ caCerts });
    for (let i = 0; i < times; i++) {
      await (await fetch(`${origin}${USERINFO}?access_token=token-1`, { client })).body?.cancel();
    }
  };
  await ask(`https://localhost:${homeserver.port}`, [ca.pem], 1);
  assertEquals(homeserver.connections, 1);
  await ask(homeserver.url, [ca.pem], 3);
  assertEquals(homeserver.connections, 2);
  await assertRejects(() => ask(homeserver.url, [], 1), TypeError);
  assertEquals(homeserver.connections, 3);
  assertEquals(
    homeserver.requests.map(({ host, serverName, connection }) => [host, serverName, connection]),
    [
      [`localhost:${homeserver.port}`, "localhost", 1],
      ...Array(3).fill([`127.0.0.1:${homeserver.port}`, null, 2]),
    ],
  );
});

Deno.test("startHomeserver() changes its mind when told", async () => {
  await using homeserver = startHomeserver({ users: {}, wellKnown: "delegated.example:443" });
  const ask = async (path: string) => (await (await fetch(homeserver.url + path)).json());
  assertEquals(await ask("/.well-known/matrix/server"), { "m.server": "delegated.example:443" });
  homeserver.settings.clientBaseUrl = "https://matrix.example/";
  assertEquals(await ask("/.well-known/matrix/client"), {
    "m.homeserver": { base_url: "https://matrix.example/" },
  });
  homeserver.settings.respond = (_, { path }) =>
    path === "/odd" ? Response.json({ answered: path }) : undefined;
  assertEquals(await ask("/odd"), { answered: "/odd" });
  homeserver.settings.users = { "token-2": "@bob:example.org" };
  homeserver.settings.delayMs = 1;
  assertEquals(await ask(`${USERINFO}?access_token=token-2`), { sub: "@bob:example.org" });
});

Deno.test("startHomeserver() can be closed under a request that waits", async () => {
  const homeserver = startHomeserver({ users: {}, delayMs: 3_600_000 });
  const answer = fetch(`${homeserver.url}${USERINFO}?access_token=x`);
  await homeserver.received(1);
  await Promise.all([assertRejects(() => answer, TypeError), homeserver.close()]);
});

Deno.test("startHomeserver() listens on IPv6 too", async () => {
  await using homeserver = startHomeserver({ users: { t: "@a:b" }, hostname: "::1" });
  const response = await fetch(`${homeserver.url}${USERINFO}?access_token=t`);
  assertEquals(await response.json(), { sub: "@a:b" });
});
