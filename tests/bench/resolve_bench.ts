import { createServerResolver } from "../../lib/verification/resolve_server.ts";
import { client, clock, SERVER_NAME } from "./fixtures.ts";

const resolver = createServerResolver({
  client,
  clock,
  lookupSrv: () => Promise.resolve([]),
  overrides: new Map([["override.example", "https://homeserver.internal:8448"]]),
  isOwn: () => false,
  maxConnections: () => 64,
  random: Math.random,
});
await resolver.resolve(SERVER_NAME);

Deno.bench("delegated server from the cache", { group: "resolve" }, async () => {
  await resolver.resolve(SERVER_NAME);
});

Deno.bench("overridden server", { group: "resolve" }, async () => {
  await resolver.resolve("override.example");
});
