import { type Homeserver, startHomeserver } from "../../tests/fakes/homeserver.ts";
import { type Sfu, startSfu } from "../../tests/fakes/sfu.ts";
import { type RunningService, startService } from "../../tests/support/service.ts";
import { createTestCa } from "../../tests/support/test_ca.ts";
import type { TokenRequest } from "./exchange.ts";

/** A real SFU to be used in place of the stand-in. */
export interface RealSfu {
  /** `LIVEKIT_URL`. */
  url: string;
  key: string;
  secret: string;
}

/** How to build the demo's world. */
export interface WorldOptions {
  /** The SFU that the environment names; the stand-in without. */
  realSfu?: RealSfu;
  /** PEM certificates to trust besides the stand-in's, for a real SFU with a private CA. */
  caFile?: string;
  /** Sees the service's log as it is written. */
  onLog(text: string): void;
}

/** The service and everything around it, running. */
export interface World extends AsyncDisposable {
  readonly service: RunningService;
  readonly homeserver: Homeserver;
  /** The stand-in, unless there is a real SFU. */
  readonly sfu: Sfu | undefined;
  /** What clients will be told to connect to, and the key that the service signs with. */
  readonly liveKit: RealSfu;
  /** A request that succeeds, as often as one likes. */
  readonly request: TokenRequest;
}

/** The first run of all fetches packages before the service starts. */
const START_TIMEOUT_MS = 180_000;
const OPENID_TOKEN = "alices-openid-token";

/**
 * Starts a homeserver with one user, an SFU unless a real one is given, and the service between
 * them. Everything listens on the loopback interface only.
 *
 * @param options The SFU, if real, and where the service's log goes.
 * @returns The world; disposing of it stops all of it.
 * @throws {Error} When the service does not start; the message has its output.
 */
export async function createWorld(options: WorldOptions): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const ca = await createTestCa();
  const homeserver = stack.use(
    startHomeserver({ tls: await ca.issue(["localhost"]), users: {} }),
  );
  const userId = `@alice:${homeserver.serverName}`;
  homeserver.settings.users = { [OPENID_TOKEN]: userId };
  const sfu = options.realSfu ? undefined : stack.use(startSfu({}));
  const liveKit = options.realSfu ??
    { url: sfu!.liveKitUrl, key: sfu!.key, secret: sfu!.secret };

  const caFile = await Deno.makeTempFile({ prefix: "matrixrtc-auth-demo-", suffix: ".pem" });
  stack.defer(() => Deno.remove(caFile));
  const more = options.caFile === undefined ? "" : await Deno.readTextFile(options.caFile);
  await Deno.writeTextFile(caFile, ca.pem + more);

  const service = await startService({
    startTimeoutMs: START_TIMEOUT_MS,
    onOutput: options.onLog,
    env: {
      LIVEKIT_URL: liveKit.url,
      LIVEKIT_KEY: liveKit.key,
      LIVEKIT_SECRET: liveKit.secret,
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: homeserver.serverName,
      MATRIXRTC_CA_FILE: caFile,
    },
  });
  // Asked to drain, so that the demo ends as the service does in earnest.
  stack.defer(async () => {
    await service.stop();
  });
  const running = stack.move();
  return {
    service,
    homeserver,
    sfu,
    liveKit,
    request: {
      room_id: `!demo:${homeserver.serverName}`,
      slot_id: "m.call#ROOM",
      openid_token: {
        access_token: OPENID_TOKEN,
        token_type: "Bearer",
        matrix_server_name: homeserver.serverName,
        expires_in: 3600,
      },
      member: {
        id: "alices-first-tab",
        claimed_user_id: userId,
        claimed_device_id: "ALICESPHONE",
      },
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
