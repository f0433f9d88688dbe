import type { Result } from "../../../lib/diagnosis/check.ts";
import { listChecks } from "../../../lib/diagnosis/checks.ts";
import { createDoctorContext, type DoctorOptions } from "../../../lib/diagnosis/context.ts";
import { runChecks } from "../../../lib/diagnosis/run_checks.ts";
import { loadConfig } from "../../../lib/config/load_config.ts";
import { createMemoryStore } from "../../../lib/delayed_leave/stores/memory_store.ts";
import type { AddressLookup } from "../../../lib/net/dial.ts";
import { createOutgoingClient } from "../../../lib/net/outgoing_client.ts";
import { installTlsTrust } from "../../../lib/net/tls_trust.ts";
import { createLogger } from "../../../lib/observability/logger.ts";
import { createService } from "../../../lib/service.ts";

import { type HttpServer, startHttpServer } from "../../fakes/http_server.ts";
import { realClock } from "./real_clock.ts";
import { createTestCa, type TestCertificate } from "../../support/test_ca.ts";

/** The one authority that these worlds trust: what is trusted, is so for the whole process. */
export const ca = await createTestCa();
const trust = installTlsTrust([], [ca.pem]);

/** What may be different from a world in order. */
export interface WorldOptions {
  /** Looks at each request first, with what the world in order would answer. */
  edge?(request: Request, answer: () => Promise<Response>): Response | Promise<Response>;
  /** Of the edge; one for `localhost` unless told. */
  certificate?: TestCertificate;
  /** Addresses of every name; 127.0.0.1 unless told. */
  lookup?: AddressLookup;
  env?: Record<string, string>;
  doctor?: DoctorOptions;
  /** How far the clock of the one who looks is ahead. */
  clockOffsetMs?: number;
  /** What stands in the well-known file. */
  wellKnown?(base: string): Record<string, unknown>;
}

/** A homeserver, a LiveKit and this service behind one proxy, on loopback. */
export interface World extends AsyncDisposable {
  readonly edge: HttpServer;
  /** Of the edge, as names are written: `https://localhost:4711`. */
  readonly base: string;
  readonly serverName: string;
  /** Where clients reach the service. */
  readonly serviceUrl: string;
  /** Makes some of the checks. */
  diagnose(...ids: string[]): Promise<Result[]>;
}

const SECRET = "a-secret-of-thirty-two-characters!";
/** The path of the service, which the proxy leaves on. */
export const SERVICE_PATH = "/livekit/jwt";
/** A user's token, and whose it is. */
export const USER_TOKEN = "syt_alice_token";

/** Starts a world. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const clock = realClock;
  const certificate = options.certificate ?? await ca.issue(["localhost"]);
  let base = "";
  const edge = startHttpServer({
    tls: certificate,
    handler: (request) => {
      const answer = () => answerInOrder(request);
      return options.edge?.(request, answer) ?? answer();
    },
  });
  base = `https://localhost:${edge.port}`;
  const serverName = `localhost:${edge.port}`;
  const loaded = loadConfig({
    env: {
      LIVEKIT_URL: `wss://localhost:${edge.port}`,
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: SECRET,
      LIVEKIT_FULL_ACCESS_HOMESERVERS: serverName,
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      ...options.env,
    },
    readFile: () => "",
  });
  const lookup = options.lookup ?? (() => Promise.resolve(["127.0.0.1"]));
  const client = createOutgoingClient(loaded.config, { clock, lookup, trust });
  const effects = { clock, client, lookupSrv: () => Promise.resolve([]), random: () => 0 };
  const { log } = await createLogger({
    level: "error",
    format: "text",
    clock,
    write: () => Promise.resolve(),
  });
  const service = createService(loaded.config, log, { ...effects, store: createMemoryStore() });

  async function answerInOrder(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith(SERVICE_PATH)) return await service.handle(request);
    if (pathname === "/.well-known/matrix/client") {
      const content = options.wellKnown?.(base) ?? wellKnownOf(base);
      return Response.json(content, { headers: { "access-control-allow-origin": "*" } });
    }
    if (pathname === "/") return new Response("OK");
    if (pathname === "/_matrix/client/versions") return Response.json({ versions: ["v1.11"] });
    if (!pathname.startsWith("/_matrix/client/")) return new Response("", { status: 404 });
    if (request.headers.get("authorization") !== `Bearer ${USER_TOKEN}`) {
      return Response.json({ errcode: "M_MISSING_TOKEN", error: "no token" }, { status: 401 });
    }
    if (pathname.endsWith("/account/whoami")) {
      return Response.json({ user_id: `@alice:${serverName}` });
    }
    return Response.json({
      rtc_transports: [{ type: "livekit", livekit_service_url: base + SERVICE_PATH }],
    });
  }

  const doctorClock = {
    ...clock,
    now: () => clock.now() + (options.clockOffsetMs ?? 0),
  };
  const close = async () => {
    await service.close(1_000);
    await client.close();
    await edge.close();
  };
  return {
    edge,
    base,
    serverName,
    serviceUrl: base + SERVICE_PATH,
    async diagnose(...ids) {
      const context = createDoctorContext(
        loaded,
        { ...effects, clock: doctorClock, lookup, trust },
        options.doctor,
      );
      const checks = (await listChecks(context)).filter(({ id }) => ids.includes(id));
      const secrets = options.doctor?.userToken ? [options.doctor.userToken] : [];
      return await runChecks(checks, context, { clock: doctorClock, secrets });
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The file as it should be. */
export function wellKnownOf(base: string): Record<string, unknown> {
  return {
    "m.homeserver": { base_url: `${base}/` },
    "org.matrix.msc4143.rtc_foci": [
      { type: "livekit", livekit_service_url: base + SERVICE_PATH },
    ],
  };
}
