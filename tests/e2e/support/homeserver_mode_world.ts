import { join } from "node:path";
import { type RunningService, runService } from "../../support/service.ts";
import { collectSecret } from "../../support/evidence.ts";
import { createTestCa, type TestCa } from "../../support/test_ca.ts";
import { type Caller, startCaller } from "./caller.ts";
import { hashNames } from "./derived_names.ts";
import type { Call } from "./exchange.ts";
import { type HomeserverTap, startHomeserverTap } from "./homeserver_tap.ts";
import { type LiveKit, startLiveKit } from "./livekit.ts";
import { startLoggedService } from "./logged_service.ts";
import { freePorts } from "./ports.ts";
import { type ServiceFront, startServiceFront } from "./service_front.ts";
import { startSynapse, type Synapse } from "./synapse.ts";
import { startWebhookHub, type WebhookHub } from "./webhook_hub.ts";

/** One operator's servers: a homeserver, an SFU, and what stands between them and services. */
export interface HomeserverSide {
  readonly synapse: Synapse;
  readonly sfu: LiveKit;
  /** Where the SFU sends its webhooks. */
  readonly hub: WebhookHub;
  /** Where the homeserver passes requests on to; not when the service itself is there. */
  readonly front: ServiceFront | undefined;
  /** Between services and the homeserver; not when they find the homeserver by themselves. */
  readonly tap: HomeserverTap | undefined;
  /** The registration file as the homeserver has it. */
  readonly registration: string;
  /** One of the tokens in the registration. */
  token(name: "as_token" | "hs_token"): string;
  /** The variables of a service of this operator; what is given comes on top. */
  serviceEnv(more?: Record<string, string>): Record<string, string>;
  /** Starts a service of this operator; the caller ends it. */
  startService(more?: Record<string, string>): Promise<RunningService>;
  /** Leads what is about a call to a service: the homeserver's requests and the SFU's webhooks. */
  lead(call: Call, service: { readonly url: string }): void;
  /**
   * Starts another SFU behind the same homeserver, so that no other service looks after who is there.
   * The caller ends it.
   */
  withOwnSfu(): Promise<HomeserverSide & AsyncDisposable>;
}

/** Two operators whose homeservers federate. */
export interface HomeserverModeWorld extends AsyncDisposable {
  readonly a: HomeserverSide;
  readonly b: HomeserverSide;
  readonly ca: TestCa;
  /** Starts a browser that ends with the world at the latest. */
  startCaller(): Promise<Caller>;
}

/** What {@linkcode startHomeserverModeWorld} may be told. */
export interface HomeserverModeWorldOptions {
  /**
   * Nothing stands between homeserver and service: one service for each operator, found where the
   * registration says, and it finds the homeserver by .well-known.
   */
  isDirect?: boolean;
}

/** Starts two operators' servers; ends them in reverse. */
export async function startHomeserverModeWorld(
  { isDirect = false }: HomeserverModeWorldOptions = {},
): Promise<HomeserverModeWorld> {
  await using parts = new AsyncDisposableStack();
  const ca = await createTestCa();
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-world-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  await Deno.writeTextFile(join(dir, "ca.pem"), ca.pem);

  // One after the other: there are two cores, and each start keeps more than one busy.
  const a = await startSide(parts, { ca, dir, host: "localhost", isDirect });
  const b = await startSide(parts, { ca, dir, host: "127.0.0.1", isDirect });
  const callers = parts.use(new AsyncDisposableStack());
  const all = parts.move();
  return {
    a,
    b,
    ca,
    startCaller: async () => callers.use(await startCaller()),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface SideOptions {
  ca: TestCa;
  /** For files; `ca.pem` is there already. */
  dir: string;
  host: "localhost" | "127.0.0.1";
  isDirect: boolean;
}

async function startSide(
  parts: AsyncDisposableStack,
  { ca, dir, host, isDirect }: SideOptions,
): Promise<HomeserverSide> {
  const { hub, sfu } = await startSfu(parts);
  const front = isDirect ? undefined : parts.use(startServiceFront());
  const registrationFile = join(dir, `registration-${host}.yaml`);
  const basicEnv = {
    LIVEKIT_JWT_BIND: isDirect ? `127.0.0.1:${freePorts(1)[0]}` : "127.0.0.1:0",
    LIVEKIT_URL: sfu.url,
    LIVEKIT_KEY: sfu.apiKey,
    LIVEKIT_SECRET: sfu.apiSecret,
    LIVEKIT_AS_REGISTRATION_FILE: registrationFile,
    MATRIXRTC_CA_FILE: join(dir, "ca.pem"),
    MATRIXRTC_ALLOW_NETWORKS: "127.0.0.0/8",
  };
  let env: Record<string, string> = basicEnv;
  let registration = "";
  const synapse = parts.use(
    await startSynapse({
      ca,
      host,
      homeserverMode: {
        async fragment(serverName) {
          env = {
            ...basicEnv,
            LIVEKIT_FULL_ACCESS_HOMESERVERS: serverName,
            LIVEKIT_HS_SERVER_NAME: serverName,
          };
          registration = await printRegistration(env, front?.url);
          for (const [, kind, token] of registration.matchAll(/^(\w+_token): "(.*)"$/gm)) {
            collectSecret(kind!, token!);
          }
          await Deno.writeTextFile(registrationFile, registration, { mode: 0o600 });
          return uncomment(registration);
        },
      },
    }),
  );
  const tap = isDirect ? undefined : parts.use(startHomeserverTap(synapse, ca.pem));
  return createSide({ synapse, sfu, hub, front, tap, registration, env });
}

/** Starts an SFU with what it needs beside it. */
async function startSfu(parts: AsyncDisposableStack) {
  const hub = parts.use(startWebhookHub());
  return { hub, sfu: parts.use(await startLiveKit({ webhookUrls: [hub.url] })) };
}

type SideParts =
  & Pick<HomeserverSide, "synapse" | "sfu" | "hub" | "front" | "tap" | "registration">
  & {
    /** The variables that all of the side's services have. */
    readonly env: Record<string, string>;
  };

function createSide(parts: SideParts): HomeserverSide {
  const { synapse, sfu, hub, front, tap, registration, env } = parts;
  const serviceEnv = (more: Record<string, string> = {}) => ({
    ...env,
    LIVEKIT_URL: sfu.url,
    ...(tap === undefined ? {} : { LIVEKIT_CS_API_URL_OVERRIDES: tap.override }),
    ...more,
  });
  return {
    synapse,
    sfu,
    hub,
    front,
    tap,
    registration,
    token: (name) => new RegExp(`^${name}: "(.*)"$`, "m").exec(registration)![1]!,
    serviceEnv,
    startService: (more) => startLoggedService(serviceEnv(more)),
    lead({ roomId, slotId }, { url }) {
      front?.route(roomId, url);
      hub.route(hashNames(roomId, slotId), url);
    },
    async withOwnSfu() {
      await using own = new AsyncDisposableStack();
      const side = createSide({ ...parts, ...await startSfu(own) });
      const all = own.move();
      return { ...side, [Symbol.asyncDispose]: () => all.disposeAsync() };
    },
  };
}

/**
 * Lets the service print the registration, as an operator does.
 *
 * @param proxyUrl Where the homeserver finds the service; the service knows unless told.
 */
async function printRegistration(env: Record<string, string>, proxyUrl?: string): Promise<string> {
  const { code, stdout, stderr } = await runService({
    args: ["config", "registration", ...(proxyUrl === undefined ? [] : ["--url", proxyUrl])],
    env,
  });
  if (code !== 0) throw new Error(`config registration ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** Takes the piece of homeserver.yaml out of a registration's comments, as it says there. */
function uncomment(registration: string): string {
  return registration.split("\n")
    .filter((line) => line.startsWith("# "))
    .map((line) => line.slice(2))
    .join("\n");
}
