import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { routePath } from "../../lib/http/route_path.ts";

const PATHS: [path: string, route: string][] = [
  ["", "/"],
  ["/", "/"],
  ["///", "/"],
  ["/?a=/get_token", "/"],
  ["?a=/get_token", "/"],
  ["/get_token", "/get_token"],
  ["/get_token/", "/get_token"],
  ["//get_token//", "/get_token"],
  ["/livekit/jwt/get_token?x=/y", "/get_token"],
  ["/get_token#/healthz", "/get_token"],
  ["/sfu/get", "/sfu/get"],
  ["//sfu/get", "/sfu/get"],
  ["/sfu//get/", "/sfu/get"],
  ["/a/b/sfu/get", "/sfu/get"],
  ["/sfu/get/sfu/get", "/sfu/get"],
  ["/get", "/get"],
  ["/sfu", "/sfu"],
  ["/xsfu/get", "/get"],
  ["/sfu/x/get", "/get"],
  ["/sfu/get/x", "/x"],
  ["/SFU/get", "/get"],
  ["/sfu/getx", "/getx"],
  ["/sfu%2Fget", "/*"],
  ["/delayed_events/syd_AbCdEfGhIjKlMnOpQrSt", "/*"],
  ["/_synapse/admin/v1/users/@alice:example.org", "/*"],
  ["/_matrix/client/v1/rtc/livekit/@alice:example.org", "/_matrix"],
  [`/${"x".repeat(41)}`, "/*"],
  ["/__proto__", "/__proto__"],
  [
    "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token",
    "/_matrix/client/rtc/livekit/get_token",
  ],
  ["/_matrix/client/v1/rtc/livekit/get_token?x=/y", "/_matrix/client/rtc/livekit/get_token"],
  ["/prefix//_matrix/client/v1//rtc/livekit/get_token/", "/_matrix/client/rtc/livekit/get_token"],
  [
    "/_matrix/client/v1/rtc/livekit/delegate_delayed_leave",
    "/_matrix/client/rtc/livekit/delegate_delayed_leave",
  ],
  [
    "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit/get_token",
    "/_matrix/federation/rtc/livekit/get_token",
  ],
  ["/_matrix/federation/v1/rtc/livekit/get_token", "/_matrix/federation/rtc/livekit/get_token"],
  ["/_matrix/federation/v1/rtc/livekit/other", "/_matrix/federation/rtc/livekit/other"],
  ["/_matrix/app/v1/ping", "/_matrix/app/ping"],
  ["/_matrix/client/unstable/other/rtc/livekit/get_token", "/_matrix"],
  ["/_matrix/client/v2/rtc/livekit/get_token", "/_matrix"],
  ["/_matrix/client/v1/rtc/livekit/x/get_token", "/_matrix"],
  ["/_matrix/client/v1/rtc/get_token", "/_matrix"],
  ["/_matrix/key/v1/rtc/livekit/get_token", "/get_token"],
  ["/_matrix/app/v2/ping", "/_matrix"],
  ["/_matrix/client/get_token", "/_matrix"],
  ["/_matrix/federation/v1/openid/sfu/get", "/_matrix"],
  ["/_matrix/client/", "/_matrix"],
  ["/x_matrix/client/v1/get_token", "/get_token"],
  ["/_matrix/client/x_matrix/client/v1/rtc/livekit/get_token", "/_matrix"],
  ["/_matrix/livekit/jwt/get_token", "/get_token"],
];

for (const [path, route] of PATHS) {
  Deno.test(`routePath() finds ${route} in "${path}"`, () => {
    assertEquals(routePath(`http://127.0.0.1:8080${path}`), route);
  });
}

Deno.test("routePath() reads the URL of a request that came through a unix socket", () => {
  assertEquals(routePath("http+unix://%2Frun%2Fauth.sock/a/sfu/get?x"), "/sfu/get");
  assertEquals(routePath("http+unix://%2Frun%2Fget_token"), "/");
});

Deno.test("routePath() ignores every prefix, doubled slash and query", () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._~%-]{1,12}$/);
  const slashes = fc.stringMatching(/^\/{1,4}$/);
  const route = fc.constantFrom("/get_token", "/sfu/get", "/healthz", "/sfu_webhook");
  const prefix = fc.array(fc.tuple(slashes, segment)).map((parts) => parts.flat().join(""));
  const query = fc.oneof(fc.constant(""), fc.webQueryParameters().map((text) => `?${text}`));
  fc.assert(
    fc.property(prefix, route, slashes, fc.boolean(), query, (before, name, more, end, query) => {
      const path = before + name.replaceAll("/", more) + (end ? more : "") + query;
      assertEquals(routePath(`https://rtc.example.org${path}`), name);
    }),
  );
});

Deno.test("routePath() takes no longer for a path made to be slow", () => {
  const hostile = [
    "/".repeat(60_000) + "x/y?",
    "/sfu/".repeat(12_000) + "x",
    "/sfu" + "/".repeat(60_000) + "ge",
    "/_matrix" + "/".repeat(60_000) + "client",
    "/_matrix/client/v1/rtc" + "/".repeat(60_000) + "x",
    "/_matrix/client/v1/rtc/livekit/get_token".repeat(1_500) + "/x",
  ];
  const startedAt = performance.now();
  for (const path of hostile) routePath(`http://h${path}`);
  const ms = performance.now() - startedAt;
  // Quadratic time would be seconds.
  assertEquals(ms < 500, true, `${ms} ms`);
});
