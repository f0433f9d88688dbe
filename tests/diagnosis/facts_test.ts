import { assertEquals } from "@std/assert";
import { loadConfig } from "../../lib/config/load_config.ts";
import { createDoctorContext, type DoctorOptions } from "../../lib/diagnosis/context.ts";
import type { HttpRequest, HttpTarget } from "../../lib/net/http_client.ts";
import { Secret } from "../../lib/secret.ts";
import { createManualClock } from "../support/manual_clock.ts";

/** Servers whose well-known files name a service of their own each; all is noted. */
function createWorld(env: Record<string, string>, options: DoctorOptions = {}) {
  const sent: { host: string; path: string; token?: string }[] = [];
  const loaded = loadConfig({
    env: { LIVEKIT_URL: "wss://sfu.example", LIVEKIT_KEY: "k", LIVEKIT_SECRET: "s", ...env },
    readFile: () => "",
  });
  const request = ({ hostHeader }: HttpTarget, { path, headers }: HttpRequest) => {
    const token = headers?.authorization;
    sent.push({ host: hostHeader, path, ...token !== undefined && { token } });
    const body = path.endsWith("/whoami") ? { user_id: `@u:${hostHeader}` } : {
      "m.homeserver": { base_url: `https://${hostHeader}` },
      "org.matrix.msc4143.rtc_foci": hostHeader === "silent.example" ? [] : [
        { type: "livekit", livekit_service_url: `https://rtc.${hostHeader}/` },
      ],
    };
    return Promise.resolve({
      status: 200,
      headers: {},
      body: new TextEncoder().encode(JSON.stringify(body)),
    });
  };
  const context = createDoctorContext(loaded, {
    clock: createManualClock(),
    client: { request, close: () => Promise.resolve() },
    lookup: () => Promise.resolve([]),
    lookupSrv: () => Promise.resolve([]),
    trust: { ca: [] },
    random: () => 0,
  }, options);
  return { context, sent };
}

Deno.test("facts are asked for once, however many checks want them", async () => {
  const { context: { facts }, sent } = createWorld({
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example",
  });
  await Promise.all([
    facts.wellKnownClient("a.example"),
    facts.clientApi("a.example"),
    facts.ownService(),
    facts.ownService(),
  ]);
  assertEquals(sent, [{ host: "a.example", path: "/.well-known/matrix/client" }]);
});

Deno.test("the servers to look at are those with full access, and that of homeserver mode", () => {
  const names = (env: Record<string, string>, options?: DoctorOptions) =>
    createWorld(env, options).context.serverNames;
  const mode = {
    LIVEKIT_AS_TOKEN: "a-token",
    LIVEKIT_HS_TOKEN: "another",
    LIVEKIT_HS_SERVER_NAME: "hs.example",
  };
  assertEquals(names({ LIVEKIT_FULL_ACCESS_HOMESERVERS: "*" }), []);
  assertEquals(names({ LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example", ...mode }), [
    "a.example",
    "hs.example",
  ]);
  assertEquals(names(mode, { serverNames: ["b.example"] }), ["b.example"]);
});

Deno.test("ownService() is what was told, before what is advertised", async () => {
  const env = { LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example" };
  const told = { publicUrl: "https://rtc.example/jwt" };
  const { context: { facts } } = createWorld(env, told);
  assertEquals(await facts.ownService(), { url: told.publicUrl, from: "--public-url" });
  assertEquals(await createWorld(env).context.facts.ownService(), {
    url: "https://rtc.a.example",
    from: "a.example",
  });
});

Deno.test("ownService() never takes another server's service for this one", async () => {
  const env = { LIVEKIT_FULL_ACCESS_HOMESERVERS: "silent.example" };
  const options = { serverNames: ["silent.example", "remote.example"] };
  const { context: { facts } } = createWorld(env, options);
  assertEquals(await facts.ownService(), undefined);
});

Deno.test("clientApi() prefers the operator's override, and asks nobody then", async () => {
  const { context: { facts }, sent } = createWorld({
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example",
    LIVEKIT_CS_API_URL_OVERRIDES: "a.example=http://synapse:8008",
  });
  assertEquals(await facts.clientApi("a.example"), {
    baseUrl: "http://synapse:8008",
    from: "override",
  });
  assertEquals(sent, []);
});

Deno.test("the user's token goes to the first server alone, and not in a URL", async () => {
  const { context, sent } = createWorld(
    { LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example b.example" },
    { userToken: new Secret("syt_hunter2") },
  );
  const owner = await context.facts.tokenOwner();
  await context.facts.userTransports();
  await context.facts.transports("b.example");
  assertEquals(owner?.userId, "@u:a.example");
  const hosts = sent.filter(({ token }) => token !== undefined).map(({ host }) => host);
  assertEquals([...new Set(hosts)], ["a.example"]);
  assertEquals(sent.filter(({ path }) => path.includes("hunter2")), []);
});
