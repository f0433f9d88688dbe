import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { parse } from "yaml";
import { formatRegistration } from "../../lib/cli/registration.ts";
import { loadConfig } from "../../lib/config/load_config.ts";
import { parseSfuUrl } from "../../lib/config/parse/parse_url.ts";
import type { RegistrationSettings } from "../../lib/config/registration/registration_settings.ts";

const SETTINGS = { serverName: "example.org", proxyUrl: "http://127.0.0.1:8080" };
const TOKENS = { asToken: "a".repeat(64), hsToken: "0".repeat(64) };

function format(settings: Partial<RegistrationSettings> = {}): string {
  return formatRegistration({ ...SETTINGS, ...settings }, TOKENS);
}

/** What a reader gets who follows the output's second step. */
function fragmentOf(text: string): string {
  const lines = text.split("\n").filter((line) => /^#( |$)/.test(line));
  return lines.map((line) => line.replace(/^# ?/, "")).join("\n");
}

Deno.test("formatRegistration() writes what Synapse reads", () => {
  assertEquals(parse(format()), {
    id: "matrixrtc-auth",
    as_token: TOKENS.asToken,
    // All digits, and text nevertheless.
    hs_token: TOKENS.hsToken,
    sender_localpart: "matrixrtc-auth",
    url: null,
    rate_limited: false,
    namespaces: {
      users: [{ exclusive: false, regex: "@[^:]*:example\\.org$" }],
      aliases: [],
      rooms: [],
    },
    "io.element.msc4502.scopes": ["urn:matrix:client:io.element.msc4502:rooms:is_joined"],
    "io.element.msc4512.proxy_prefix": "rtc/livekit",
    "io.element.msc4512.proxy_url": "http://127.0.0.1:8080",
  });
});

Deno.test("formatRegistration() is what the service itself takes without a warning", () => {
  const { config, warnings } = loadConfig({
    env: {
      LIVEKIT_URL: "wss://sfu",
      LIVEKIT_KEY: "devkey",
      LIVEKIT_SECRET: "a-secret-of-thirty-two-characters!",
      LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org",
      LIVEKIT_HS_SERVER_NAME: "example.org",
      LIVEKIT_AS_REGISTRATION_FILE: "/run/registration.yaml",
    },
    readFile: () => format(),
  });
  assertEquals(warnings, []);
  assertEquals(config.appService?.asToken.reveal(), TOKENS.asToken);
  assertEquals(config.appService?.hsToken.reveal(), TOKENS.hsToken);
});

Deno.test("formatRegistration() has a piece of homeserver.yaml in its comments", () => {
  const path = "/etc/synapse/auth.yaml";
  const liveKitUrl = "wss://Sfu.example.org/x/";
  const fragment = fragmentOf(format({ path, liveKitUrl }));
  assertEquals(parse(fragment), {
    app_service_config_files: [path],
    experimental_features: { msc4143_enabled: true, msc4502_enabled: true, msc4512_enabled: true },
    max_event_delay_duration: "24h",
    matrix_rtc: { transports: [{ type: "livekit", url: liveKitUrl }] },
  });
  assertMatch(fragment, /^ {6}# livekit_service_url: https:/m);
  const old = parse(fragment.replace("# livekit_service_url", "livekit_service_url"));
  assertEquals(Object.keys(old.matrix_rtc.transports[0]), ["type", "url", "livekit_service_url"]);
});

Deno.test("formatRegistration() says where an address is still missing", () => {
  assertMatch(format(), /url: "wss:\S+" +# put LIVEKIT_URL here$/m);
  assert(!format({ liveKitUrl: "wss://sfu" }).includes("put LIVEKIT_URL here"));
});

Deno.test("formatRegistration() names the variables that go with it", () => {
  const text = format({ path: "/etc/synapse/auth.yaml" });
  assertStringIncludes(text, "LIVEKIT_AS_REGISTRATION_FILE=/etc/synapse/auth.yaml\n");
  assertStringIncludes(text, "LIVEKIT_HS_SERVER_NAME=example.org\n");
});

const USERS = [
  {
    serverName: "example.org",
    own: "@a:example.org",
    others: ["@a:exampleXorg", "@a:example.org:1"],
  },
  { serverName: "a-b.c:8448", own: "@x=/+.y:a-b.c:8448", others: ["@a:a-b.c", "@a:b:a-b.c:8448x"] },
  { serverName: "[::1]:80", own: "@A:[::1]:80", others: ["@a::", "@a:1"] },
  {
    serverName: "example.org",
    own: "@:example.org",
    others: ["x@a:example.org", "@a:x.example.org"],
  },
];
for (const { serverName, own, others } of USERS) {
  Deno.test(`formatRegistration() is for users like ${own} and no others`, () => {
    const { namespaces } = parse(format({ serverName }));
    // Python's match() begins at the beginning; for the rest the two languages agree here.
    const regex = new RegExp(`^(?:${namespaces.users[0].regex})`);
    assert(regex.test(own));
    for (const other of others) assert(!regex.test(other), other);
  });
}

Deno.test("formatRegistration() carries every address unchanged, in ASCII", () => {
  const path = fc.oneof(fc.string(), fc.string({ unit: "binary" })).map((text) =>
    `wss://sfu/${text}`
  );
  const urls = path.filter((url) => {
    try {
      return parseSfuUrl(url) === url && url.isWellFormed();
    } catch {
      return false;
    }
  });
  fc.assert(fc.property(urls, (liveKitUrl) => {
    const text = format({ liveKitUrl });
    assertMatch(text, /^[\x20-\x7e\n]+$/);
    assertEquals(parse(fragmentOf(text)).matrix_rtc.transports[0].url, liveKitUrl);
    assertEquals(parse(text).url, null);
  }));
});
