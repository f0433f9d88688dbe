import { join } from "node:path";
import { createTestCa, type TestCa } from "../../support/test_ca.ts";
import { type RunningService, startService } from "../../support/service.ts";
import { type LiveKit, startLiveKit } from "./livekit.ts";
import { startSynapse, type Synapse } from "./synapse.ts";

/** Real servers around the service, all on loopback. */
export interface World extends AsyncDisposable {
  /** The homeserver whose users have full access. */
  readonly near: Synapse;
  /** A homeserver whose users are restricted. */
  readonly far: Synapse;
  readonly sfu: LiveKit;
  /** The CA of both homeservers. */
  readonly ca: TestCa;
  /** The variables of a service between these servers; what is given comes on top. */
  serviceEnv(more?: Record<string, string>): Record<string, string>;
  /** Starts the service between these servers; the caller ends it. */
  startService(more?: Record<string, string>): Promise<RunningService>;
}

/** What {@linkcode startWorld} may be told. */
export interface WorldOptions {
  /** Where the SFU sends its webhooks. */
  webhookUrls?: string[];
}

/** Starts two Synapses and a LiveKit; ends them in reverse. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  await using parts = new AsyncDisposableStack();
  const ca = await createTestCa();
  const dir = await Deno.makeTempDir({ prefix: "matrixrtc-auth-world-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  const caFile = join(dir, "ca.pem");
  await Deno.writeTextFile(caFile, ca.pem);

  const sfu = parts.use(await startLiveKit(options));
  // One after the other: there are two cores, and each start keeps more than one busy.
  const near = parts.use(await startSynapse({ ca, host: "localhost" }));
  const far = parts.use(await startSynapse({ ca, host: "127.0.0.1" }));

  function serviceEnv(more: Record<string, string> = {}): Record<string, string> {
    return {
      LIVEKIT_JWT_BIND: "127.0.0.1:0",
      LIVEKIT_URL: sfu.url,
      LIVEKIT_KEY: sfu.apiKey,
      LIVEKIT_SECRET: sfu.apiSecret,
      LIVEKIT_FULL_ACCESS_HOMESERVERS: near.serverName,
      MATRIXRTC_CA_FILE: caFile,
      // The far server is nobody's word: it may live here only since the operator says so.
      MATRIXRTC_ALLOW_NETWORKS: "127.0.0.0/8",
      ...more,
    };
  }
  const all = parts.move();
  return {
    near,
    far,
    sfu,
    ca,
    serviceEnv,
    startService: (more) => startService({ env: serviceEnv(more) }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
