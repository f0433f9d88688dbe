import { assertEquals } from "@std/assert";
import { PROXIED_PATHS } from "./homeserver_proxy.ts";
import { type Homeserver, startHomeserver } from "./homeserver.ts";
import { startHttpServer } from "./http_server.ts";

const UNSTABLE = "/_matrix/client/unstable/io.element.msc4502/rooms";
const FED_PROXY = "/_matrix/client/unstable/io.element.msc4512/appservice/fed_proxy";
const AS = { authorization: "Bearer as" };

async function get({ url }: Homeserver, path: string, headers: HeadersInit = AS) {
  const response = await fetch(url + path, { headers });
  const { errcode, joined } = await response.json();
  return [response.status, errcode ?? joined];
}

async function send({ url }: Homeserver, body: unknown, headers: HeadersInit = AS) {
  const init = { method: "POST", body: JSON.stringify(body), headers };
  const response = await fetch(url + FED_PROXY, init);
  const { errcode, status, content } = await response.json();
  return [response.status, errcode ?? [status, content]];
}

Deno.test("is_joined answers for users and servers, to the application service only", async () => {
  await using homeserver = startHomeserver({
    users: {},
    appService: {
      asToken: "as",
      rooms: { "!a/..%:b": { users: ["@alice:a"], servers: ["c"] } },
    },
  });
  const { appService } = homeserver;
  const room = `${UNSTABLE}/${encodeURIComponent("!a/..%:b")}/is_joined`;
  assertEquals(await get(homeserver, `${room}?mxid=%40alice%3Aa`), [200, true]);
  assertEquals(await get(homeserver, `${room}?mxid=%40bob%3Aa`), [200, false]);
  assertEquals(await get(homeserver, `${room}?server_name=a`), [200, true]);
  assertEquals(await get(homeserver, `${room}?server_name=c`), [200, true]);
  assertEquals(await get(homeserver, `${room}?server_name=b`), [200, false]);
  assertEquals(await get(homeserver, `${UNSTABLE}/!other/is_joined?server_name=a`), [200, false]);
  assertEquals(await get(homeserver, room), [400, "M_MISSING_PARAM"]);
  assertEquals(await get(homeserver, `${room}?mxid=a&server_name=b`), [400, "M_MISSING_PARAM"]);
  assertEquals(await get(homeserver, `${UNSTABLE}/a/is_joined?mxid=a`), [400, "M_INVALID_PARAM"]);
  assertEquals(appService.questions[0], {
    roomId: "!a/..%:b",
    member: "@alice:a",
    status: 200,
    joined: true,
  });
  const count = appService.questions.length;
  const query = `${room}?server_name=a`;
  const stranger = { authorization: "Bearer other" };
  assertEquals(await get(homeserver, query, stranger), [401, "M_UNKNOWN_TOKEN"]);
  assertEquals(await get(homeserver, query, {}), [401, "M_MISSING_TOKEN"]);
  assertEquals([appService.questions.length, appService.refused], [count, 2]);
  appService.settings.hasScope = false;
  assertEquals(await get(homeserver, query), [403, "M_FORBIDDEN"]);
  appService.settings.joinedPaths = "stable";
  assertEquals(await get(homeserver, query), [404, "M_UNRECOGNIZED"]);
});

Deno.test("a homeserver without application service has nothing for one", async () => {
  await using homeserver = startHomeserver({ users: {} });
  const path = `${UNSTABLE}/!a/is_joined?server_name=b`;
  assertEquals(await get(homeserver, path), [404, "M_UNRECOGNIZED"]);
  assertEquals(await send(homeserver, {}), [404, "M_UNRECOGNIZED"]);
});

Deno.test("fed_proxy reaches another server's service, signs for it, and says why not", async () => {
  const seen: unknown[] = [];
  await using service = startHttpServer({
    async handler(request) {
      seen.push(await request.text());
      return Response.json({ errcode: "M_FORBIDDEN" }, { status: 403 });
    },
  });
  await using homeserver = startHomeserver({
    users: {},
    appService: {
      asToken: "as",
      serverName: "own.example",
      remotes: {
        "other.example": { serviceUrl: service.url, hsToken: "hs-token" },
        "dead.example": { serviceUrl: "http://127.0.0.1:1", hsToken: "" },
      },
    },
  });
  const { appService } = homeserver;
  const path = PROXIED_PATHS.federationGetToken;
  const call = { destination: "other.example", method: "POST", path, body: { b: 1, a: [2] } };
  assertEquals(await send(homeserver, call), [200, [403, { errcode: "M_FORBIDDEN" }]]);
  assertEquals(seen, ['{"a":[2],"b":1}']);
  assertEquals(appService.federationCalls, [call]);
  const { headers, path: seenPath } = service.requests[0]!;
  // Whether the connection is to be kept is a matter of the runtime.
  const names = [...headers.keys()].filter((name) => name !== "connection").sort();
  assertEquals([seenPath, ...names], [
    path,
    "authorization",
    "content-length",
    "content-type",
    "host",
    "x-matrix-origin",
  ]);
  assertEquals(headers.get("x-matrix-origin"), "own.example");
  assertEquals(headers.get("authorization"), "Bearer hs-token");

  const errors: [Record<string, unknown>, number, string][] = [
    [{ destination: "" }, 400, "M_MISSING_PARAM"],
    [{ method: "PATCH" }, 400, "M_INVALID_PARAM"],
    [{ body: 1 }, 400, "M_INVALID_PARAM"],
    [{ destination: "own.example" }, 403, "IO.ELEMENT.MSC4512.M_FEDPROXY_DESTINATION_DENIED"],
    [{ path: "/_matrix/x" }, 403, "IO.ELEMENT.MSC4512.M_FEDPROXY_PATH_NOT_ALLOWED"],
    [{ destination: "dead.example" }, 502, "IO.ELEMENT.MSC4512.M_FEDPROXY_CONNECTION_FAILED"],
    [{ destination: "unknown" }, 502, "IO.ELEMENT.MSC4512.M_FEDPROXY_CONNECTION_FAILED"],
  ];
  for (const [change, status, errcode] of errors) {
    assertEquals(await send(homeserver, { ...call, ...change }), [status, errcode]);
  }
  assertEquals(await send(homeserver, call, {}), [401, "M_MISSING_TOKEN"]);
  appService.settings.answerFor = () => ({ status: 502, content: null });
  assertEquals(await send(homeserver, call), [200, [502, null]]);
  appService.settings.respond = () => Response.json({ status: "odd" });
  assertEquals(await send(homeserver, call), [200, ["odd", undefined]]);
  appService.settings.hasFedProxy = false;
  assertEquals(await send(homeserver, call), [404, "M_UNRECOGNIZED"]);
  assertEquals(seen.length, 1);
});
