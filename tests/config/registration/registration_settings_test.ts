import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError } from "../../../lib/config/config_error.ts";
import {
  loadRegistrationSettings,
  type RegistrationOverrides,
} from "../../../lib/config/registration/registration_settings.ts";

function load(env: Record<string, string>, overrides?: RegistrationOverrides) {
  const readFile = () => {
    throw new Deno.errors.NotFound();
  };
  return loadRegistrationSettings({ env, readFile }, overrides);
}

const NAME = { LIVEKIT_HS_SERVER_NAME: "example.org" };
const AT_ONCE = { serverName: "example.org", proxyUrl: "http://127.0.0.1:8080" };

Deno.test("loadRegistrationSettings() needs nothing but a name", () => {
  assertEquals(load(NAME), AT_ONCE);
  assertEquals(load({ LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org" }), AT_ONCE);
  assertEquals(load({}, { serverName: "example.org" }), AT_ONCE);
});

Deno.test("loadRegistrationSettings() looks at no secret and no file", () => {
  const env = {
    ...NAME,
    LIVEKIT_KEY_FILE: "/none",
    LIVEKIT_SECRET_FROM_FILE: "/none",
    LIVEKIT_AS_TOKEN: "two words",
    LIVEKIT_AS_REGISTRATION_FILE: "/etc/synapse/auth.yaml",
    MATRIXRTC_TOKEN_TTL_SECONDS: "nonsense",
  };
  assertEquals(load(env), { ...AT_ONCE, path: "/etc/synapse/auth.yaml" });
});

Deno.test("loadRegistrationSettings() prefers the command line, then the homeserver's own name", () => {
  const env = { ...NAME, LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example", LIVEKIT_JWT_BIND: ":80" };
  assertEquals(load(env), { serverName: "example.org", proxyUrl: "http://127.0.0.1:80" });
  const overrides = { serverName: "b.example", proxyUrl: "https://auth.example" };
  assertEquals(load(env, overrides), overrides);
  const faulty = { LIVEKIT_HS_SERVER_NAME: "a/b", LIVEKIT_JWT_BIND: "nonsense" };
  assertEquals(load(faulty, overrides), overrides);
});

const ADDRESSES = [
  { bind: ":8081", url: "http://127.0.0.1:8081" },
  { bind: "0.0.0.0:80", url: "http://127.0.0.1:80" },
  { bind: "[::]:80", url: "http://127.0.0.1:80" },
  { bind: "[0:0:0::0]:80", url: "http://127.0.0.1:80" },
  { bind: "[::1]:80", url: "http://[::1]:80" },
  { bind: "10.0.0.1:443", url: "http://10.0.0.1:443" },
  { bind: "auth.internal:8080", url: "http://auth.internal:8080" },
];
for (const { bind, url } of ADDRESSES) {
  Deno.test(`loadRegistrationSettings() makes ${url} of ${bind}`, () => {
    assertEquals(load({ ...NAME, LIVEKIT_JWT_BIND: bind }).proxyUrl, url);
  });
}

Deno.test("loadRegistrationSettings() takes an old name of the port", () => {
  assertEquals(load({ ...NAME, LIVEKIT_JWT_PORT: "81" }).proxyUrl, "http://127.0.0.1:81");
});

Deno.test("loadRegistrationSettings() keeps LIVEKIT_URL letter by letter", () => {
  const url = "WSS://Sfu.example.org:443/x/";
  assertEquals(load({ ...NAME, LIVEKIT_URL: url }).liveKitUrl, url);
});

Deno.test("loadRegistrationSettings() names no path that is none, or would need quotes", () => {
  for (const path of ["auth.yaml", "/a b.yaml", "/a\nb", "as_token: hunter2", "/a'b", "/a#b"]) {
    assertEquals(load({ ...NAME, LIVEKIT_AS_REGISTRATION_FILE: path }), AT_ONCE);
  }
});

const FAULTS: { name: string; env: Record<string, string>; variable: string; says: string }[] = [
  { name: "no name", env: {}, variable: "LIVEKIT_HS_SERVER_NAME", says: "--server NAME" },
  {
    name: "all names",
    env: { LIVEKIT_FULL_ACCESS_HOMESERVERS: "*" },
    variable: "LIVEKIT_HS_SERVER_NAME",
    says: "does not name exactly one server",
  },
  {
    name: "two names",
    env: { LIVEKIT_FULL_ACCESS_HOMESERVERS: "a.example b.example" },
    variable: "LIVEKIT_HS_SERVER_NAME",
    says: "does not name exactly one server",
  },
  {
    name: "a faulty name",
    env: { LIVEKIT_HS_SERVER_NAME: "https://example.org" },
    variable: "LIVEKIT_HS_SERVER_NAME",
    says: "has a scheme",
  },
  {
    name: "a faulty list",
    env: { LIVEKIT_FULL_ACCESS_HOMESERVERS: "https://example.org" },
    variable: "LIVEKIT_FULL_ACCESS_HOMESERVERS",
    says: "has a scheme",
  },
  {
    name: "a faulty LIVEKIT_URL",
    env: { ...NAME, LIVEKIT_URL: "sfu.example.org" },
    variable: "LIVEKIT_URL",
    says: "scheme",
  },
  {
    name: "a faulty address",
    env: { ...NAME, LIVEKIT_JWT_BIND: "8080" },
    variable: "LIVEKIT_JWT_BIND",
    says: "colon",
  },
  ...["unix:/run/a.sock", ":0", "[fe80::1%eth0]:80"].map((bind) => ({
    name: `a service at ${bind}`,
    env: { ...NAME, LIVEKIT_JWT_BIND: bind },
    variable: "LIVEKIT_JWT_BIND",
    says: "--url URL",
  })),
];
for (const { name, env, variable, says } of FAULTS) {
  Deno.test(`loadRegistrationSettings() refuses ${name}`, () => {
    const { faults } = assertThrows(() => load(env), ConfigError);
    assertEquals(faults.map(({ variable }) => variable), [variable]);
    assertStringIncludes(faults[0]!.message, says);
    assertStringIncludes(faults[0]!.message, "Accepted: ");
    assert(faults[0]!.message.startsWith(`${variable} `));
  });
}
