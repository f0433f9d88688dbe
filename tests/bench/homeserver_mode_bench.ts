import { loadConfig } from "../../lib/config/load_config.ts";
import { createMemoryStore } from "../../lib/delayed_leave/stores/memory_store.ts";
import { createLogger } from "../../lib/observability/logger.ts";
import { createService } from "../../lib/service.ts";
import { client, clock, SERVER_NAME, USER_ID } from "./fixtures.ts";

// The whole service in homeserver mode, with homeserver and SFU answered from memory and the log
// written nowhere.
const HS_TOKEN = "hs-token-of-the-benchmark";
const { config } = loadConfig({
  env: {
    LIVEKIT_URL: "wss://sfu.example.org",
    LIVEKIT_KEY: "devkey",
    LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
    LIVEKIT_AS_TOKEN: "as-token-of-the-benchmark",
    LIVEKIT_HS_TOKEN: HS_TOKEN,
    LIVEKIT_HS_SERVER_NAME: SERVER_NAME,
    LIVEKIT_CS_API_URL_OVERRIDES: `${SERVER_NAME}=http://127.0.0.1:8008`,
  },
  readFile: () => "",
});
const { log } = await createLogger({
  level: "info",
  format: "text",
  clock,
  write: () => Promise.resolve(),
});
const { handle } = createService(config, log, {
  clock,
  client,
  lookupSrv: () => Promise.resolve([]),
  random: Math.random,
  store: createMemoryStore(),
});
const path = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token";
const body = JSON.stringify({
  url: "wss://sfu.example.org",
  room_id: "!k5Gq6FwBTKDUkJJn0RrfBKU4YbKzXCkHPzCN0eVQyOw",
  slot_id: "m.call#ROOM",
  member_id: "0e7ba9c5-7d64-4ad0-8ea1-a8b3a3a8b1f4",
});
const headers = {
  "authorization": `Bearer ${HS_TOKEN}`,
  "content-length": String(body.length),
  "content-type": "application/json",
  "x-matrix-user-identifier": USER_ID,
};

Deno.bench("a client's token through the homeserver", async () => {
  const request = new Request(`http://127.0.0.1:8080${path}`, { method: "POST", headers, body });
  const response = await handle(request);
  if (response.status !== 200) throw new Error(await response.text());
  await response.text();
});
