import { loadConfig } from "../../lib/config/load_config.ts";
import { createMemoryStore } from "../../lib/delayed_leave/stores/memory_store.ts";
import { createLogger } from "../../lib/observability/logger.ts";
import { createMetrics, type Metrics } from "../../lib/observability/metrics/metrics.ts";
import { createService } from "../../lib/service.ts";
import { client, clock, GET_TOKEN_BODY, SERVER_NAME } from "./fixtures.ts";

// The whole service with and without metrics, all others answered from memory.
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
const metrics = createMetrics(config, clock, {
  version: "bench",
  runtime: "bench",
  residentMemory: () => 0,
  cpuSeconds: () => 0,
});

function createExchange(metrics?: Metrics) {
  const { handle } = createService(config, log, {
    clock,
    client,
    lookupSrv: () => Promise.resolve([]),
    random: Math.random,
    store: createMemoryStore(),
    ...(metrics && { watchers: [metrics.steps], leaveWatcher: metrics.leaves }),
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

const group = "POST /get_token with metrics";
Deno.bench("off", { group, baseline: true }, createExchange());
Deno.bench("on", { group }, createExchange(metrics));
Deno.bench("writing all metrics down", () => void metrics.render());
