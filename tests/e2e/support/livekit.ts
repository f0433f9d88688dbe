import { installed } from "./installed.ts";
import { freePorts } from "./ports.ts";
import { type RunningProcess, startProcess } from "./process.ts";
import { waitUntilReady } from "./ready.ts";

/** A real livekit-server on loopback that creates no room by itself. */
export interface LiveKit extends AsyncDisposable {
  /** What clients get, `ws://127.0.0.1:PORT`. */
  readonly url: string;
  /** The same for HTTP calls. */
  readonly httpUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** The server's log so far. */
  readonly lines: readonly string[];
  /** Ends the server as a crash would; its rooms are lost. */
  crash(): Promise<void>;
  /** Starts it again on the same ports. */
  restart(): Promise<void>;
}

/** Made up for the tests; the server wants 32 characters or more. */
const API_KEY = "APIe2etests";
const API_SECRET = "e2e-secret-of-the-tests-0123456789abcdef";

/** What {@linkcode startLiveKit} may be told. */
export interface LiveKitOptions {
  /** Where the server sends its webhooks; nowhere unless told. */
  webhookUrls?: string[];
  /** More of its configuration, over what stands here. */
  config?: Readonly<Record<string, unknown>>;
}

/** Starts a livekit-server for the tests and waits until it serves. */
export async function startLiveKit(
  { webhookUrls = [], config: more = {} }: LiveKitOptions = {},
): Promise<LiveKit> {
  const [port, tcpPort, udpPort] = freePorts(3) as [number, number, number];
  const config = JSON.stringify({
    port,
    bind_addresses: ["127.0.0.1"],
    keys: { [API_KEY]: API_SECRET },
    room: { auto_create: false },
    ...(webhookUrls.length === 0 ? {} : { webhook: { api_key: API_KEY, urls: webhookUrls } }),
    rtc: {
      tcp_port: tcpPort,
      udp_port: udpPort,
      node_ip: "127.0.0.1",
      use_external_ip: false,
      enable_loopback_candidate: true,
      interfaces: { includes: ["lo"] },
    },
    logging: { json: false, level: "info" },
    ...more,
  });
  const httpUrl = `http://127.0.0.1:${port}`;
  const lines: string[][] = [];

  async function start(): Promise<RunningProcess> {
    const server = startProcess(installed("livekit"), {
      name: "livekit-server",
      args: ["--config-body", config],
    });
    lines.push(server.lines as string[]);
    await waitUntilReady(server, {
      timeoutMs: 20_000,
      probe: async (signal) => {
        const response = await fetch(httpUrl, { signal });
        await response.body?.cancel();
        return response.ok;
      },
    });
    return server;
  }

  let server = await start();
  async function crash(): Promise<void> {
    server.kill("SIGKILL");
    await server.ended;
  }
  return {
    url: `ws://127.0.0.1:${port}`,
    httpUrl,
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    get lines() {
      return lines.flat();
    },
    crash,
    async restart() {
      server = await start();
    },
    // SIGTERM would wait until the participants have left, see the server's own drain.
    [Symbol.asyncDispose]: crash,
  };
}
