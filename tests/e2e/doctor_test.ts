import { assertEquals } from "@std/assert";
import type { Result, Verdict } from "../../lib/diagnosis/check.ts";
import { Secret } from "../../lib/secret.ts";
import { runService } from "../support/service.ts";
import { createTestCa } from "../support/test_ca.ts";
import {
  assertFound,
  diagnose,
  type DiagnoseOptions,
  formatResults,
} from "./support/doctor_run.ts";
import {
  type DoctorWorld,
  type Locations,
  startDoctorLiveKit,
  startDoctorWorld,
} from "./support/doctor_world.ts";
import { type Nginx, startNginx } from "./support/nginx.ts";
import { freePorts } from "./support/ports.ts";
import { startRedis } from "./support/redis.ts";
import { listRooms } from "./support/sfu_view.ts";
import { startSynapse } from "./support/synapse.ts";

// The doctor among real servers: it has nothing to say when all is well, and finds what is not.

let world: DoctorWorld;

Deno.test.beforeAll(async () => {
  world = await startDoctorWorld();
});

Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

/** What loopback itself is warned about: an address for clients, and a server name with a port. */
const OF_LOOPBACK = ["A4", "A5"];
/** Made in a browser, at another place, or on request. */
const SKIPPED = ["D7", "E7", "H2", "H5"];

Deno.test("a healthy world passes everywhere", async () => {
  const { accessToken } = await world.synapse.client.register("healthy");
  const results = await diagnose(world.env(), { userToken: new Secret(accessToken) });
  const odd = results.filter(({ id, verdict }) =>
    verdict === "FAIL" || (verdict === "WARN" && !OF_LOOPBACK.includes(id)) ||
    (verdict === "SKIP" && !SKIPPED.includes(id))
  );
  assertEquals(formatResults(odd), "");
  assertEquals(results.length > 40, true, String(results.length));
  assertEquals(formatResults(results).includes(accessToken), false);
});

Deno.test("nothing of a diagnosis stays on the SFU", async () => {
  await diagnose(world.env(), { only: ["F3", "F4", "F5"] });
  const rooms = await listRooms(world.sfu);
  assertEquals(rooms.filter((name) => name.startsWith("doctor-")), []);
});

Deno.test("the command says the same as JSON, of the program as it is installed", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-state-" });
  try {
    const env = world.env({ MATRIXRTC_STATE_DIR: stateDir });
    const { code, stdout, stderr } = await runService({ args: ["doctor", "--json"], env });
    const { checks } = JSON.parse(stdout) as { checks: Result[] };
    const verdicts = new Map(checks.map(({ id, verdict }) => [id, verdict]));
    // Of the names and addresses of this very machine nothing is known here.
    for (const id of ["D3", "E2", "F2", "F3", "F4", "F5", "F6", "G1", "G2", "G4", "H1", "H3"]) {
      assertEquals([id, verdicts.get(id)], [id, "PASS"], formatResults(checks));
    }
    assertEquals([1, 2].includes(code), true, String(code));
    assertEquals((stdout + stderr).includes(world.sfu.apiSecret), false);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a store in Redis passes while Redis is there", async () => {
  await using redis = await startRedis({ password: "of-the-tests" });
  const env = world.env({
    LIVEKIT_REDIS_URL: redis.url,
    LIVEKIT_REDIS_PASSWORD: "of-the-tests",
  });
  assertFound(await diagnose(env, { only: ["G4"] }), "G4", "PASS", { evidence: /in Redis/ });
  const wrong = await diagnose({ ...env, LIVEKIT_REDIS_PASSWORD: "another" }, { only: ["G4"] });
  assertFound(wrong, "G4", "FAIL", { remedy: /LIVEKIT_REDIS_PASSWORD/ });
});

/** What a fault looks like, and in whose result. */
type Expectation = [
  id: string,
  verdict: Verdict,
  expected: { evidence?: RegExp; remedy?: RegExp; subject?: RegExp },
];

/** Makes a broken world out of the good one: variables, and what the doctor is told. */
interface Fault {
  readonly name: string;
  readonly env?: () => Record<string, string>;
  /** nginx with other locations, as clients reach service and SFU. */
  readonly nginx?: () => Partial<Locations>;
  readonly options?: DiagnoseOptions;
  readonly expected: readonly Expectation[];
}

const closedPort = () => freePorts(1)[0]!;

const FAULTS: readonly Fault[] = [
  {
    name: "LIVEKIT_KEY is not among LiveKit's keys",
    env: () => ({ LIVEKIT_KEY: "APIsomebodyelses" }),
    expected: [
      ["F2", "FAIL", { evidence: /invalid API key/, remedy: /LIVEKIT_KEY is not in LiveKit's/ }],
    ],
  },
  {
    name: "LIVEKIT_SECRET is another one than LiveKit's",
    env: () => ({ LIVEKIT_SECRET: "another-secret-of-thirty-two-characters" }),
    expected: [
      ["F2", "FAIL", { evidence: /signature/, remedy: /LIVEKIT_SECRET is not the secret/ }],
      ["G1", "FAIL", { evidence: /401/, remedy: /another LIVEKIT_KEY or LIVEKIT_SECRET/ }],
    ],
  },
  {
    name: "the SFU is down",
    env: () => ({ LIVEKIT_INTERNAL_URL: `http://127.0.0.1:${closedPort()}` }),
    expected: [
      ["F1", "FAIL", { subject: /internal/, evidence: /refused/i, remedy: /start LiveKit/ }],
      ["F2", "FAIL", { remedy: /see F1/ }],
      ["F5", "SKIP", {}],
    ],
  },
  {
    name: "the SFU is unreachable from outside",
    env: () => ({ LIVEKIT_URL: `wss://localhost:${closedPort()}` }),
    expected: [
      ["F1", "FAIL", { subject: /public/, evidence: /refused/i, remedy: /LIVEKIT_URL/ }],
      ["F5", "FAIL", { evidence: /refused/i, remedy: /LIVEKIT_URL/ }],
      ["F3", "PASS", {}],
    ],
  },
  {
    name: "the proxy does not strip the SFU's prefix",
    nginx: () => ({ sfu: `proxy_pass ${world.sfu.httpUrl}; proxy_http_version 1.1;` }),
    expected: [["F1", "FAIL", { subject: /public/, evidence: /404/, remedy: /strip the prefix/ }]],
  },
  {
    name: "the proxy does not forward the headers of WebSockets",
    nginx: () => ({ sfu: `proxy_pass ${world.sfu.httpUrl}/; proxy_http_version 1.1;` }),
    expected: [
      ["F1", "PASS", { subject: /public/ }],
      ["F5", "FAIL", { remedy: /Upgrade and Connection/ }],
    ],
  },
  {
    name: "the proxy has a wrong port for the SFU",
    nginx: () => ({ sfu: `proxy_pass http://127.0.0.1:${closedPort()}/;` }),
    expected: [
      ["F1", "FAIL", { subject: /public/, evidence: /502/, remedy: /port in the proxy/ }],
      ["F5", "FAIL", { evidence: /502/, remedy: /does not reach LiveKit/ }],
    ],
  },
  {
    name: "the proxy has a wrong port for the service",
    nginx: () => ({ jwt: `proxy_pass http://127.0.0.1:${closedPort()}/;` }),
    expected: [
      ["D1", "FAIL", { evidence: /502/, remedy: /port/ }],
      ["G1", "WARN", { subject: /public/, evidence: /502/, remedy: /does not reach this service/ }],
    ],
  },
  {
    name: "a web page answers in the service's place",
    nginx: () => ({
      jwt: 'default_type text/html; return 200 "<!doctype html><title>Hi</title>";',
    }),
    expected: [["D3", "FAIL", { evidence: /web page/, remedy: /route this path/ }]],
  },
  {
    name: "the SFU answers in the service's place",
    nginx: () => ({ jwt: `proxy_pass ${world.sfu.httpUrl}/;` }),
    expected: [["D3", "FAIL", {}], ["D4", "FAIL", {}]],
  },
  {
    name: "the proxy adds a second CORS header",
    nginx: () => ({
      jwt: `proxy_pass http://127.0.0.1:${new URL(world.service.url).port}/; ` +
        "add_header Access-Control-Allow-Origin * always;",
    }),
    expected: [["D2", "FAIL", { subject: /sfu\/get/, remedy: /once|second|twice/ }]],
  },
  {
    name: "the proxy answers preflights itself",
    nginx: () => ({
      jwt: "if ($request_method = OPTIONS) { return 405; } " +
        `proxy_pass ${world.service.url};`,
    }),
    expected: [["D2", "FAIL", { evidence: /405/, remedy: /OPTIONS/ }]],
  },
  {
    name: "only the older endpoint is forwarded",
    nginx: () => ({
      more: "    location = /livekit/jwt/get_token { return 404; }\n",
    }),
    expected: [["D4", "FAIL", { evidence: /404/ }], ["D3", "PASS", {}]],
  },
  {
    name: "the webhook's public path is not forwarded",
    nginx: () => ({
      more: "    location = /livekit/jwt/sfu_webhook { return 404; }\n",
    }),
    expected: [
      ["G1", "WARN", { subject: /public/, evidence: /404/, remedy: /Forward \/sfu_webhook/ }],
      ["G1", "PASS", { subject: /internal/ }],
    ],
  },
  {
    name: "the clock is 90 s off",
    options: { clockAheadMs: 90_000 },
    expected: [
      ["B4", "FAIL", { subject: /LiveKit/, evidence: /(89|90|91) s/, remedy: /NTP/ }],
      ["F2", "FAIL", { evidence: /not for now/, remedy: /NTP/ }],
    ],
  },
  {
    name: "Redis is down",
    env: () => ({ LIVEKIT_REDIS_URL: `redis://127.0.0.1:${closedPort()}` }),
    expected: [["G4", "FAIL", { evidence: /refused/i, remedy: /Start Redis/ }]],
  },
  {
    name: "the folder of jobs is missing",
    env: () => ({ MATRIXRTC_STATE_DIR: "/nonexistent/matrixrtc-auth" }),
    expected: [["G4", "FAIL", { evidence: /NotFound/, remedy: /MATRIXRTC_STATE_DIR/ }]],
  },
  {
    name: "the homeserver does not know its application service",
    env: () => ({
      LIVEKIT_AS_TOKEN: "as-token-that-no-homeserver-knows",
      LIVEKIT_HS_TOKEN: "hs-token-that-no-homeserver-knows",
      LIVEKIT_HS_SERVER_NAME: world.synapse.serverName,
    }),
    expected: [
      ["I1", "FAIL", { evidence: /msc4502_enabled/, remedy: /registration/ }],
      ["I2", "FAIL", { evidence: /404/, remedy: /msc4512_enabled/ }],
      ["I4", "FAIL", { evidence: /404/, remedy: /not in homeserver mode/ }],
    ],
  },
];

for (const { name, env, nginx, options, expected } of FAULTS) {
  Deno.test(`a fault is found: ${name}`, async () => {
    await using parts = new AsyncDisposableStack();
    const front = nginx && parts.use(await world.startNginx(nginx()));
    const found = await diagnose(world.env({ ...throughNginx(front), ...env?.() }), {
      ...front && { publicUrl: `${front.url}/livekit/jwt` },
      only: expected.map(([id]) => id),
      ...options,
    });
    for (const expectation of expected) assertFound(found, ...expectation);
    // LiveKit repeats the token that it refuses.
    assertEquals(/eyJ[\w-]+\./.test(formatResults(found)), false, "a token is shown");
  });
}

function throughNginx(nginx: Nginx | undefined): Record<string, string> {
  return nginx === undefined ? {} : { LIVEKIT_URL: `wss://localhost:${nginx.port}/livekit/sfu` };
}

const CERTIFICATES = [
  {
    name: "expired",
    issue: () => {
      const day = 86_400_000;
      const notBefore = new Date(Date.now() - 2 * day);
      return world.ca.issue(["localhost"], { notBefore, notAfter: new Date(Date.now() - day) });
    },
    remedy: /renew/i,
  },
  {
    name: "of an authority that nobody trusts",
    issue: async () => await (await createTestCa()).issue(["localhost"]),
    remedy: /chain|CA_FILE/,
  },
  {
    name: "for another name",
    issue: () => world.ca.issue(["other.example.org"]),
    remedy: /certificate for localhost/,
  },
];
for (const { name, issue, remedy } of CERTIFICATES) {
  Deno.test(`a fault is found: the certificate is ${name}`, async () => {
    await using nginx = await startNginx(await issue(), world.locations());
    const found = await diagnose(world.env(throughNginx(nginx)), { only: ["B2", "F5"] });
    const subject = new RegExp(`:${nginx.port}`);
    assertFound(found, "B2", "FAIL", { subject, remedy });
    assertFound(found, "F5", "FAIL", { evidence: /TLS/ });
  });
}

Deno.test("a fault is found: a host name is listed in place of the server name", async () => {
  await using nginx = await world.startNginx({
    more: `    location /_matrix/ { proxy_pass ${world.synapse.baseUrl}; }\n`,
  });
  const hostName = `localhost:${nginx.port}`;
  const found = await diagnose(
    world.env({ LIVEKIT_FULL_ACCESS_HOMESERVERS: hostName }),
    { only: ["C1", "E1", "E4"] },
  );
  const remedy = new RegExp(`List ${world.synapse.serverName}, the part after ':'`);
  assertFound(found, "E1", "FAIL", { evidence: /is called/, remedy });
  // This front has no well-known file: so that is found, too.
  assertFound(found, "C1", "FAIL", { evidence: /404/, remedy: /well-known|[Ss]erve/ });
  assertFound(found, "E4", "FAIL", { remedy: /LIVEKIT_CS_API_URL_OVERRIDES/ });
});

Deno.test("a fault is found: LiveKit opens rooms by itself", async () => {
  await using sfu = await startDoctorLiveKit(`${world.service.url}/sfu_webhook`, {
    config: { room: { auto_create: true } },
  });
  const found = await diagnose(
    world.env({ LIVEKIT_URL: sfu.url, LIVEKIT_INTERNAL_URL: sfu.httpUrl }),
    { only: ["F4"] },
  );
  assertFound(found, "F4", "FAIL", { remedy: /room\.auto_create: false/ });
});

Deno.test("a fault is found: LiveKit sends its webhooks elsewhere", async () => {
  await using sfu = await startDoctorLiveKit(`http://127.0.0.1:${closedPort()}/sfu_webhook`);
  const found = await diagnose(
    world.env({ LIVEKIT_URL: sfu.url, LIVEKIT_INTERNAL_URL: sfu.httpUrl }),
    { only: ["G2"] },
  );
  assertFound(found, "G2", "FAIL", { evidence: /no event/, remedy: /webhook\.urls/ });
});

Deno.test("a fault is found: LiveKit signs its webhooks with another key", async () => {
  const { apiKey, apiSecret } = world.sfu;
  const other = { APIother: "another-secret-of-thirty-two-characters" };
  await using sfu = await startDoctorLiveKit("", {
    config: {
      keys: { [apiKey]: apiSecret, ...other },
      webhook: { api_key: "APIother", urls: [`${world.service.url}/sfu_webhook`] },
    },
  });
  const found = await diagnose(
    world.env({ LIVEKIT_URL: sfu.url, LIVEKIT_INTERNAL_URL: sfu.httpUrl }),
    { only: ["G2", "G3"] },
  );
  assertFound(found, "G2", "FAIL", { evidence: /another key/, remedy: /webhook\.api_key/ });
  assertFound(found, "G3", "FAIL", { remedy: /webhook\.api_key/ });
});

Deno.test("a fault is found: the homeserver lacks userinfo, delayed events, a common transport", async () => {
  const transports = (service: string) => [{ type: "livekit", livekit_service_url: service }];
  await using synapse = await startSynapse({
    ca: world.ca,
    host: "localhost",
    homeserverMode: {
      fragment: (serverName) =>
        Promise.resolve(JSON.stringify({
          max_event_delay_duration: null,
          listeners: [{
            port: Number(serverName.split(":")[1]),
            bind_addresses: ["127.0.0.1"],
            type: "http",
            tls: true,
            resources: [{ names: ["client", "health"], compress: false }],
          }],
          experimental_features: { msc4143_enabled: true },
          matrix_rtc: { transports: transports("https://localhost/elsewhere") },
          extra_well_known_client_content: {
            "org.matrix.msc4143.rtc_foci": transports(world.publicUrl),
          },
        })),
    },
  });
  const { accessToken } = await synapse.client.register("doctor");
  const found = await diagnose(
    world.env({ LIVEKIT_FULL_ACCESS_HOMESERVERS: synapse.serverName }),
    { only: ["C6", "E2", "E3", "E6"], userToken: new Secret(accessToken) },
  );
  assertFound(found, "E2", "FAIL", { evidence: /404/, remedy: /`openid`/ });
  assertFound(found, "E3", "FAIL", { remedy: /max_event_delay_duration/ });
  assertFound(found, "E6", "FAIL", { evidence: /userinfo does not know/ });
  assertFound(found, "C6", "FAIL", { remedy: /disagree|both|same|different/i });
});
