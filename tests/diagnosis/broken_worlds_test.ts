// Each world is broken in one way that people have met; the doctor names it, and what to do.

import { assertEquals, assertMatch } from "@std/assert";
import type { Verdict } from "../../lib/diagnosis/check.ts";
import { Secret } from "../../lib/secret.ts";
import { createTestCa } from "../support/test_ca.ts";
import {
  ca,
  SERVICE_PATH,
  startWorld,
  USER_TOKEN,
  wellKnownOf,
  type WorldOptions,
} from "./support/world.ts";

const DAY_MS = 86_400_000;
const stranger = await createTestCa();
const now = Date.now();

const html = (title: string, status = 200) =>
  new Response(`<!doctype html><title>${title}</title>`, {
    status,
    headers: { "content-type": "text/html" },
  });
type Edge = NonNullable<WorldOptions["edge"]>;

const isService = (request: Request) => new URL(request.url).pathname.startsWith(SERVICE_PATH);
const pathOf = (request: Request) => new URL(request.url).pathname;

/** An edge that does something else with the service's paths. */
const instead = (answer: () => Response): Edge => (request, inOrder) =>
  isService(request) ? answer() : inOrder();
const atFile = (answer: (request: Request) => Response): Edge =>
(
  request,
  inOrder,
) => pathOf(request) === "/.well-known/matrix/client" ? answer(request) : inOrder();

/** Adds headers to what the service answers, beside those that are there. */
const adding = (name: string, value: string): Edge => async (request, inOrder) => {
  const response = await inOrder();
  if (!isService(request)) return response;
  const headers = new Headers(response.headers);
  headers.append(name, value);
  return new Response(response.body, { status: response.status, headers });
};

interface Fault {
  readonly name: string;
  readonly world: WorldOptions;
  /** The check that must see it. */
  readonly id: string;
  readonly verdict: Verdict;
  readonly evidence: RegExp;
  readonly remedy: RegExp;
}

const FAULTS: readonly Fault[] = [
  {
    name: "a proxy with a wrong port",
    world: { edge: instead(() => html("502 Bad Gateway", 502)) },
    id: "D1",
    verdict: "FAIL",
    evidence: /502 with a web page \("502 Bad Gateway"\)/,
    remedy: /does not reach this service: wrong port/,
  },
  {
    name: "a proxy with a wrong port, at the endpoint",
    world: { edge: instead(() => html("502 Bad Gateway", 502)) },
    id: "D3",
    verdict: "FAIL",
    evidence: /sfu\/get: 502 with a web page/,
    remedy: /wrong port/,
  },
  {
    name: "a path that is not passed on",
    world: { edge: instead(() => new Response("404 page not found\n", { status: 404 })) },
    id: "D3",
    verdict: "FAIL",
    evidence: /404 with "404 page not found"/,
    remedy: /prefix is stripped wrongly/,
  },
  {
    name: "a path that the homeserver answers",
    world: {
      edge: instead(() =>
        Response.json({ errcode: "M_UNRECOGNIZED", error: "?" }, { status: 404 })
      ),
    },
    id: "D3",
    verdict: "FAIL",
    evidence: /404 M_UNRECOGNIZED/,
    remedy: /The homeserver answers there, not this service/,
  },
  {
    name: "a health path that is not shown",
    world: {
      edge: (request, inOrder) =>
        pathOf(request).endsWith("/healthz") ? new Response("", { status: 404 }) : inOrder(),
    },
    id: "D1",
    verdict: "WARN",
    evidence: /404 without content/,
    remedy: /Not routed/,
  },
  {
    name: "a web page in place of JSON",
    world: { edge: instead(() => html("Element")) },
    id: "D4",
    verdict: "FAIL",
    evidence: /200 with a web page \("Element"\)/,
    remedy: /route this path to the authorization service/,
  },
  {
    name: "LiveKit in place of the service",
    world: { edge: instead(() => new Response("OK")) },
    id: "D3",
    verdict: "FAIL",
    evidence: /200 "OK"/,
    remedy: /LiveKit answers there/,
  },
  {
    name: "a login before the service",
    world: {
      edge: instead(() =>
        new Response(null, { status: 302, headers: { location: "https://sso.example/?token=1" } })
      ),
    },
    id: "D3",
    verdict: "FAIL",
    evidence: /302, a redirect to https:\/\/sso\.example\/$/,
    remedy: /redirects instead of passing/,
  },
  {
    name: "only the older path passed on",
    world: {
      edge: (request, inOrder) =>
        pathOf(request).endsWith("/get_token")
          ? new Response("404 page not found", { status: 404 })
          : inOrder(),
    },
    id: "D4",
    verdict: "FAIL",
    evidence: /404/,
    remedy: /forward \/get_token as well/,
  },
  {
    name: "a duplicate CORS header",
    world: { edge: adding("access-control-allow-origin", "*") },
    id: "D2",
    verdict: "FAIL",
    evidence: /Access-Control-Allow-Origin 2 times/,
    remedy: /once: the proxy adds what is there already/,
  },
  {
    name: "a proxy that answers OPTIONS itself",
    world: {
      edge: (request, inOrder) =>
        request.method === "OPTIONS" ? new Response(null, { status: 405 }) : inOrder(),
    },
    id: "D2",
    verdict: "FAIL",
    evidence: /405 without content/,
    remedy: /pass OPTIONS on/,
  },
  {
    name: "somebody else's service",
    world: {
      edge: (request, inOrder) => {
        if (!isService(request)) return inOrder();
        const isPost = request.method === "POST";
        const errcode = isPost ? "M_BAD_JSON" : "M_UNRECOGNIZED";
        return Response.json({ errcode, error: "?" }, { status: isPost ? 400 : 405 });
      },
    },
    id: "D3",
    verdict: "WARN",
    evidence: /without this service's X-Request-Id/,
    remedy: /Another authorization service/,
  },
  {
    name: "a proxy that keeps methods apart",
    world: {
      edge: (request, inOrder) =>
        isService(request) && request.method === "GET" ? html("Hello") : inOrder(),
    },
    id: "D3",
    verdict: "WARN",
    evidence: /GET .*200 with a web page/,
    remedy: /treats methods differently/,
  },
  {
    name: "a small limit on bodies",
    world: {
      edge: async (request, inOrder) =>
        Number(request.headers.get("content-length") ?? 0) > 16_000
          ? (await request.text(), html("413 Request Entity Too Large", 413))
          : await inOrder(),
    },
    id: "D6",
    verdict: "FAIL",
    evidence: /413 with a web page/,
    remedy: /client_max_body_size/,
  },
  {
    name: "a rate limit that hits everyone",
    world: {
      edge: instead(() =>
        Response.json({ errcode: "M_LIMIT_EXCEEDED", error: "?" }, { status: 429 })
      ),
    },
    id: "D4",
    verdict: "WARN",
    evidence: /429 M_LIMIT_EXCEEDED/,
    remedy: /MATRIXRTC_TRUSTED_PROXIES/,
  },
  {
    name: "a delegate path that is not passed on",
    world: {
      edge: (request, inOrder) =>
        pathOf(request).endsWith("/delegate_delayed_leave")
          ? new Response("404 page not found", { status: 404 })
          : inOrder(),
    },
    id: "D5",
    verdict: "FAIL",
    evidence: /404/,
    remedy: /Forward \/delegate_delayed_leave/,
  },
  {
    name: "delegation that is promised although it is off",
    world: {
      env: { MATRIXRTC_DELEGATION: "off" },
      edge: instead(() => Response.json({ errcode: "M_BAD_JSON", error: "?" }, { status: 400 })),
    },
    id: "D5",
    verdict: "FAIL",
    evidence: /though delegation is off/,
    remedy: /Another service or configuration answers/,
  },
  {
    name: "no well-known file",
    world: { edge: atFile(() => html("404 Not Found", 404)) },
    id: "C1",
    verdict: "FAIL",
    evidence: /404 with a web page/,
    remedy: /bare server name/,
  },
  {
    name: "a well-known file behind a login",
    world: {
      edge: (request, inOrder) => {
        const path = pathOf(request);
        if (path === "/login") return html("Sign in");
        return path === "/.well-known/matrix/client"
          ? new Response(null, { status: 302, headers: { location: "/login?next=x" } })
          : inOrder();
      },
    },
    id: "C1",
    verdict: "FAIL",
    evidence: /web page \("Sign in"\), after a redirect to https:\/\/localhost:\d+\/login$/,
    remedy: /without a redirect to a login/,
  },
  {
    name: "a web page in place of the well-known file",
    world: { edge: atFile(() => html("Home")) },
    id: "C1",
    verdict: "FAIL",
    evidence: /200 with a web page \("Home"\)/,
    remedy: /answers for every path/,
  },
  {
    name: "no rtc_foci",
    world: { wellKnown: (base) => ({ "m.homeserver": { base_url: base } }) },
    id: "C2",
    verdict: "FAIL",
    evidence: /no org\.matrix\.msc4143\.rtc_foci/,
    remedy: /MISSING_MATRIX_RTC_FOCUS/,
  },
  {
    name: "the SFU's address in place of the service's",
    world: {
      wellKnown: (base) => ({
        ...wellKnownOf(base),
        "org.matrix.msc4143.rtc_foci": [
          { type: "livekit", livekit_service_url: "wss://sfu.example" },
        ],
      }),
    },
    id: "C2",
    verdict: "FAIL",
    evidence: /an address of the SFU/,
    remedy: /this service's https address/,
  },
  {
    name: "a well-known file without CORS",
    world: { edge: atFile((request) => Response.json(wellKnownOf(new URL(request.url).origin))) },
    id: "C3",
    verdict: "FAIL",
    evidence: /no Access-Control-Allow-Origin/,
    remedy: /Access-Control-Allow-Origin: \*/,
  },
  {
    name: "an advertised address without the path",
    world: {
      wellKnown: (base) => ({
        ...wellKnownOf(base),
        "org.matrix.msc4143.rtc_foci": [{ type: "livekit", livekit_service_url: base }],
      }),
    },
    id: "C4",
    verdict: "FAIL",
    evidence: /the service answers at https:\/\/localhost:\d+\/livekit\/jwt$/,
    remedy: /misses the path/,
  },
  {
    name: "somebody else's address, advertised",
    world: { doctor: { publicUrl: "https://rtc.example.org/livekit/jwt" } },
    id: "C4",
    verdict: "FAIL",
    evidence: /expected was https:\/\/rtc\.example\.org/,
    remedy: /wait for media/,
  },
  {
    name: "a homeserver without transports",
    world: {
      edge: (request, inOrder) =>
        pathOf(request).endsWith("/rtc/transports")
          ? Response.json({ errcode: "M_UNRECOGNIZED", error: "?" }, { status: 404 })
          : inOrder(),
    },
    id: "C5",
    verdict: "WARN",
    evidence: /404 M_UNRECOGNIZED/,
    remedy: /msc4143_enabled/,
  },
  {
    name: "two ways of discovery that disagree",
    world: {
      doctor: { userToken: new Secret(USER_TOKEN) },
      wellKnown: (base) => ({
        ...wellKnownOf(base),
        "org.matrix.msc4143.rtc_foci": [{
          type: "livekit",
          livekit_service_url: "https://other.example/livekit/jwt",
        }],
      }),
    },
    id: "C6",
    verdict: "FAIL",
    evidence: /the well-known file https:\/\/other\.example/,
    remedy: /do not meet/,
  },
  {
    name: "a token that is nobody's",
    world: { doctor: { userToken: new Secret("syt_of_nobody") } },
    id: "C6",
    verdict: "FAIL",
    evidence: /answers 401 when asked whose token it is/,
    remedy: /first server/,
  },
  {
    name: "an expired certificate",
    world: {
      certificate: await ca.issue(["localhost"], {
        notBefore: new Date(now - 9 * DAY_MS),
        notAfter: new Date(now - 2 * DAY_MS),
      }),
    },
    id: "B2",
    verdict: "FAIL",
    evidence: /expired on \d{4}-\d\d-\d\d/,
    remedy: /Renew the certificate/,
  },
  {
    name: "a certificate that ends soon",
    world: {
      certificate: await ca.issue(["localhost"], { notAfter: new Date(now + 3.5 * DAY_MS) }),
    },
    id: "B2",
    verdict: "WARN",
    evidence: /in 3 days/,
    remedy: /Renew/,
  },
  {
    name: "a certificate for another name",
    world: { certificate: await ca.issue(["other.example"]) },
    id: "B2",
    verdict: "FAIL",
    evidence: /is for DNS:other\.example, not for localhost/,
    remedy: /another virtual host/,
  },
  {
    name: "a certificate of nobody known",
    world: { certificate: await stranger.issue(["localhost"]) },
    id: "B2",
    verdict: "FAIL",
    evidence: /is not trusted here/,
    remedy: /MATRIXRTC_CA_FILE/,
  },
  {
    name: "IPv6 published but closed",
    world: { lookup: () => Promise.resolve(["::1", "127.0.0.1"]) },
    id: "B2",
    verdict: "FAIL",
    evidence: /\[::1\]:\d+ \(ECONNREFUSED\)/,
    remedy: /remove the AAAA record/,
  },
  {
    name: "names that do not resolve",
    world: {
      lookup: () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })),
    },
    id: "B1",
    verdict: "FAIL",
    evidence: /has no address here: ENOTFOUND/,
    remedy: /extra_hosts/,
  },
  {
    name: "a public address that cannot be reached from inside",
    world: { lookup: () => Promise.resolve(["127.0.0.2"]) },
    id: "B3",
    verdict: "FAIL",
    evidence: /cannot be connected to from here/,
    remedy: /hairpin NAT/,
  },
  {
    name: "a clock 90 s ahead",
    world: { clockOffsetMs: 90_000 },
    id: "B4",
    verdict: "FAIL",
    evidence: /this clock is (?:8[89]|9[01]) s ahead/,
    remedy: /NTP/,
  },
  {
    name: "a clock 90 s behind",
    world: { clockOffsetMs: -90_000 },
    id: "B4",
    verdict: "FAIL",
    evidence: /this clock is (?:8[89]|9[01]) s behind/,
    remedy: /NTP/,
  },
  {
    name: "a clock 20 s ahead",
    world: { clockOffsetMs: 20_000 },
    id: "B4",
    verdict: "WARN",
    evidence: /this clock is (?:19|20|21) s ahead/,
    remedy: /NTP/,
  },
];

for (const { name, world, id, verdict, evidence, remedy } of FAULTS) {
  Deno.test(`${id} sees ${name}`, async () => {
    await using broken = await startWorld(world);
    const [result] = await broken.diagnose(id);
    assertEquals(result?.verdict, verdict, JSON.stringify(result));
    assertMatch(result!.evidence, evidence);
    assertMatch(result!.remedy ?? "", remedy);
  });
}

Deno.test("a world in order passes", async () => {
  await using world = await startWorld({ doctor: { userToken: new Secret(USER_TOKEN) } });
  const ids = ["A", "B", "C", "D"].flatMap((group) =>
    Array.from({ length: 9 }, (_, i) => `${group}${i + 1}`)
  );
  const results = await world.diagnose(...ids);
  // localhost is no name for the public, its port looks like a container's, a test's certificate
  // lives for a day, and there is one address.
  const other = results.filter(({ verdict }) => verdict !== "PASS")
    .map(({ id, verdict }) => `${id} ${verdict}`);
  assertEquals([...new Set(other)].sort(), ["A4 WARN", "A5 WARN", "B2 WARN", "D7 SKIP"]);
  assertEquals(results.length >= 24, true);
});

Deno.test("what a server says never shows the user's token", async () => {
  await using world = await startWorld({
    doctor: { userToken: new Secret(USER_TOKEN) },
    edge: (request, inOrder) =>
      pathOf(request).endsWith("/rtc/transports")
        ? new Response(request.headers.get("authorization") ?? "none", { status: 500 })
        : inOrder(),
  });
  const results = await world.diagnose("C5", "C6");
  assertEquals(JSON.stringify(results).includes(USER_TOKEN), false);
});
