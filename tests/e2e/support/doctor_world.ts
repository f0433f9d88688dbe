import { join } from "node:path";
import { type RunningService, startService } from "../../support/service.ts";
import { createTestCa, type TestCa } from "../../support/test_ca.ts";
import { type LiveKit, type LiveKitOptions, startLiveKit } from "./livekit.ts";
import { type Nginx, startNginx } from "./nginx.ts";
import { freePorts } from "./ports.ts";
import { startSynapse, type Synapse } from "./synapse.ts";

/** What an operator has when all is well, on loopback: nginx before everything but Synapse. */
export interface DoctorWorld extends AsyncDisposable {
  readonly ca: TestCa;
  readonly synapse: Synapse;
  readonly sfu: LiveKit;
  readonly service: RunningService;
  readonly nginx: Nginx;
  /** Where clients reach the service. */
  readonly publicUrl: string;
  /** The variables of the service; what is given comes on top. */
  env(more?: Record<string, string>): Record<string, string>;
  /** nginx's locations as they should be; what is given takes the place of one. */
  locations(other?: Partial<Locations>): string;
  /** Starts another nginx with such locations. */
  startNginx(other?: Partial<Locations>): Promise<Nginx>;
}

/** The bodies of nginx's locations. */
export interface Locations {
  /** `/livekit/jwt/`. */
  readonly jwt: string;
  /** `/livekit/sfu/`. */
  readonly sfu: string;
  /** More of them, whole. */
  readonly more: string;
}

/** Headers that a proxy for WebSockets sends on. */
const UPGRADE_HEADERS = "proxy_http_version 1.1; " +
  'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';

/** A LiveKit whose media can be reached here: its TURN server is its STUN server, too. */
export function startDoctorLiveKit(
  webhookUrl: string,
  options: LiveKitOptions = {},
): Promise<LiveKit> {
  const [turnPort] = freePorts(1);
  const turn = { enabled: true, domain: "localhost", udp_port: turnPort };
  return startLiveKit({
    webhookUrls: [webhookUrl],
    ...options,
    config: { turn, ...options.config },
  });
}

/** Starts it; ends all in reverse. */
export async function startDoctorWorld(): Promise<DoctorWorld> {
  await using parts = new AsyncDisposableStack();
  const ca = withLongerLife(await createTestCa());
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-world-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  const caFile = join(dir, "ca.pem");
  await Deno.writeTextFile(caFile, ca.pem);
  const tls = await ca.issue(["localhost"]);
  const [servicePort] = freePorts(1) as [number];
  const sfu = parts.use(await startDoctorLiveKit(`http://127.0.0.1:${servicePort}/sfu_webhook`));

  const locations = (other: Partial<Locations> = {}) => {
    const {
      jwt = `proxy_pass http://127.0.0.1:${servicePort}/;`,
      sfu: toSfu = `proxy_pass ${sfu.httpUrl}/; ${UPGRADE_HEADERS}`,
      more = "",
    } = other;
    return `    location /livekit/jwt/ { ${jwt} }\n    location /livekit/sfu/ { ${toSfu} }\n${more}`;
  };
  const nginx = parts.use(await startNginx(tls, locations()));
  const publicUrl = `${nginx.url}/livekit/jwt`;
  const liveKitUrl = `wss://localhost:${nginx.port}/livekit/sfu`;
  const transport = { type: "livekit", livekit_service_url: publicUrl };
  const synapse = parts.use(
    await startSynapse({
      ca,
      host: "localhost",
      homeserverMode: {
        fragment: () =>
          Promise.resolve(JSON.stringify({
            experimental_features: { msc4143_enabled: true },
            matrix_rtc: { transports: [transport] },
            extra_well_known_client_content: { "org.matrix.msc4143.rtc_foci": [transport] },
          })),
      },
    }),
  );
  const env = (more: Record<string, string> = {}) => ({
    LIVEKIT_JWT_BIND: `127.0.0.1:${servicePort}`,
    LIVEKIT_URL: liveKitUrl,
    LIVEKIT_INTERNAL_URL: sfu.httpUrl,
    LIVEKIT_KEY: sfu.apiKey,
    LIVEKIT_SECRET: sfu.apiSecret,
    LIVEKIT_FULL_ACCESS_HOMESERVERS: synapse.serverName,
    MATRIXRTC_CA_FILE: caFile,
    ...more,
  });
  const service = parts.use(await startService({ env: env() }));
  const all = parts.move();
  return {
    ca,
    synapse,
    sfu,
    service,
    nginx,
    publicUrl,
    env,
    locations,
    startNginx: (other) => startNginx(tls, locations(other)),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

const LIFE_MS = 60 * 86_400_000;

/** Its certificates are good for two months, so that nobody is told to renew them. */
function withLongerLife(ca: TestCa): TestCa {
  const notAfter = new Date(Date.now() + LIFE_MS);
  return { ...ca, issue: (names, options) => ca.issue(names, { notAfter, ...options }) };
}
