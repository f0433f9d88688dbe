import { loadConfig } from "../../lib/config/load_config.ts";
import { createMemoryStore } from "../../lib/delayed_leave/stores/memory_store.ts";
import type { HttpClient } from "../../lib/net/http_client.ts";
import { createLogger } from "../../lib/observability/logger.ts";
import { startTracing, type Tracing } from "../../lib/observability/tracing/start_tracing.ts";
import { createService } from "../../lib/service.ts";
import { client, clock, GET_TOKEN_BODY, SERVER_NAME } from "./fixtures.ts";

// The whole service with and without traces, all others answered from memory. The collector takes
// what it gets, so making its batches counts and sending them over the network does not.
const { log } = await createLogger({
  level: "info",
  format: "text",
  clock,
  write: () => Promise.resolve(),
});
const { config } = loadConfig({
  env: {
    LIVEKIT_URL: "ws://127.0.0.1:7880",
    LIVEKIT_KEY: "devkey",
    LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
    LIVEKIT_FULL_ACCESS_HOMESERVERS: SERVER_NAME,
    MATRIXRTC_DELEGATION: "off",
    MATRIXRTC_RATE_LIMIT_PER_CLIENT: "off",
    MATRIXRTC_RATE_LIMIT_PER_SERVER: "off",
  },
  readFile: () => "",
});
const collector: HttpClient = {
  request: () => Promise.resolve({ status: 200, headers: {}, body: new Uint8Array() }),
  close: () => Promise.resolve(),
};

function trace(sampleRatio: number): Promise<Tracing> {
  const url = "http://127.0.0.1:4318/v1/traces";
  return startTracing({ url, headers: new Map(), serviceName: "bench", sampleRatio }, {
    clock,
    client: collector,
    random: Math.random,
    fillRandom: (bytes) => void crypto.getRandomValues(bytes),
    log,
  });
}

function createExchange(tracing?: Tracing) {
  const { handle } = createService(config, log, {
    clock: tracing?.clock ?? clock,
    client,
    lookupSrv: () => Promise.resolve([]),
    random: Math.random,
    store: createMemoryStore(),
    ...(tracing && { watchers: [tracing.watcher] }),
  });
  return async () => {
    const request = new Request("http://127.0.0.1:8080/get_token", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": `${GET_TOKEN_BODY.length}`,
      },
      body: GET_TOKEN_BODY,
    });
    const response = await handle(request);
    if (response.status !== 200) throw new Error(await response.text());
  };
}

const group = "POST /get_token with traces";
Deno.bench("off", { group, baseline: true }, createExchange());
Deno.bench("a hundredth", { group }, createExchange(await trace(0.01)));
Deno.bench("every request", { group }, createExchange(await trace(1)));
