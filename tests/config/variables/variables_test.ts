import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { InvalidValueError, type ParseContext } from "../../../lib/config/parse/invalid_value.ts";
import {
  listVariables,
  type VariableName,
  VARIABLES,
} from "../../../lib/config/variables/variables.ts";
import type { Variable } from "../../../lib/config/variables/variable.ts";
import { createTestCa } from "../../support/test_ca.ts";

const { pem } = await createTestCa();

/** What the paths of the samples hold; all others do not exist. */
const FILES = new Map(Object.entries({
  "/run/key": "devkey\n",
  "/run/pairs": "devkey: secret\n",
  "/run/bad-pairs": "devkey: secret\nnonsense\n",
  "/run/registration.yaml": "as_token: a\nhs_token: b\n",
  "/run/list.yaml": "- as_token\n",
  "/run/ca.pem": pem,
}));

function createContext(): ParseContext & { warnings: string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    warn: (message) => void warnings.push(message),
    readFile(path) {
      const text = FILES.get(path);
      if (text === undefined) throw new InvalidValueError("there is no such file");
      return text;
    },
  };
}

const SFU_URLS = {
  good: ["wss://sfu.example.org", "ws://sfu:7880/", "https://a/b", "HTTP://[::1]:7880/x"],
  bad: [
    ...["sfu.example.org", "ftp://sfu", "wss://", "wss:///x", "wss:sfu", "ws:\\\\sfu", "wss://a b"],
    ...["wss://me@sfu", "wss://me:pass@sfu", "wss://sfu?a=b", "wss://sfu#a", "wss://sfu:99999"],
  ],
};
const OTLP_URLS = {
  good: ["http://otel:4318", "https://[::1]:4318/otlp/", "http://otel:4317"],
  bad: [
    "otel:4318",
    "grpc://otel",
    "http://",
    "http://me:pass@otel",
    "http://otel/?a=b",
    "http://a b",
  ],
};
const ONE_LINE = { good: ["devkey", "ein Wört: mit #"], bad: ["two\nlines", "nul\0"] };
const TOKENS = {
  good: ["a", "!#$%&'*+-.^_`|~:/=", "a".repeat(1024)],
  bad: ["two words", "ein-Wört", "two\nlines", "nul\0", "\u{a0}", "a".repeat(1025)],
};
const LISTENING = {
  good: [
    ...[":8080", ":0", "0.0.0.0:1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "[::]:80"],
    ...["[fe80::1%eth0]:80", "my_host.lan:65535", "unix:/run/a.sock", "unix:///run/a.sock"],
  ],
  bad: [
    ...["8080", "localhost", ":", ":http", ":65536", ":-1", "::1:8080", "[::g]:80", "[::1]"],
    ...["1.2.3:80", "300.1.1.1:80", "*:80", "http://a:80", "a b:80", "unix:", "unix:a.sock"],
    ...["unix:/run/", `unix:/${"a".repeat(107)}`, "unix:/a\nb", "-a:80"],
  ],
};
const PATTERNS = {
  good: ["example.org", "*.example.org a.example:8448", "[::1]:8448,1.2.3.4"],
  bad: ["*", "*.", "a.*.example", "https://example.org", "example.org/", ",", "*.*.a", "*.[::1]"],
};
const OVERRIDES = {
  good: [
    ...["a.example=http://synapse:8008", "a.example = https://b/c/ , b.example=m.b.example"],
    ...["[::1]:8448=https://x,", "a=b\nc=d", "a=https://b,a=https://b/"],
  ],
  bad: [
    ...["a.example", "=https://b", "a.example=", "a.example=ftp://b", "a/b=https://c", ","],
    ...["a=https://u:p@b", "a=https://b?c", "a=b c", "a=https://b,a=https://c", "a==b"],
  ],
};
const NETWORKS = {
  good: ["10.0.0.0/8", "10.1.2.3 ::1", "fd00::/8,192.168.0.0/16", "::ffff:10.0.0.0/104", "::/0"],
  bad: ["10.0.0.0/33", "::/129", "10.0/8", "010.0.0.1", "0x7f.1", "example.org", "10.0.0.0/", ","],
};
const RATES = {
  good: ["600/60", "1/1", "off", "OFF", "5 / 86400"],
  bad: ["600", "600/", "/60", "0/60", "600/0", "600/86401", "-1/60", "1.5/60", "600/60/1"],
};
const INTERVALS = {
  good: ["0", "30", "86400"],
  bad: ["-1", "86401", "30s", "1e3", "0x10", "1.5", "+30", "3 0"],
};
const PROXIES = {
  good: ["http://proxy:3128", "proxy.lan:3128", "http://me:pass@proxy"],
  bad: ["socks5://proxy", "http://", "a b", "http://proxy?x"],
};

/** Values of every variable. Those without bad ones accept anything, as they must. */
const SAMPLES: Record<VariableName, { good: string[]; bad: string[] }> = {
  LIVEKIT_URL: SFU_URLS,
  LIVEKIT_INTERNAL_URL: SFU_URLS,
  LIVEKIT_KEY: ONE_LINE,
  LIVEKIT_SECRET: ONE_LINE,
  LIVEKIT_KEY_FILE: {
    good: ["/run/key", "/run/pairs"],
    bad: ["/run/none", "/run/bad-pairs", "devkey: secret"],
  },
  LIVEKIT_KEYS: { good: ["devkey: secret", "a: b\nc: d"], bad: ["devkey", "a: b\nc", ": b", "a:"] },
  LIVEKIT_PREVIOUS_KEY: ONE_LINE,
  LIVEKIT_PREVIOUS_SECRET: ONE_LINE,
  LIVEKIT_CAN_UPDATE_OWN_METADATA: {
    good: ["true", "FALSE", "1", "0"],
    bad: ["yes", "on", "2", '"true"'],
  },
  LIVEKIT_JWT_BIND: LISTENING,
  LIVEKIT_FULL_ACCESS_HOMESERVERS: {
    good: ["example.org", "*", "a.example,b.example:8448 c.example", "*, a.example", ",", "[::1]"],
    bad: ["https://example.org", "example.org/", "a_b.example", "*.example.org", "a,@b:c"],
  },
  LIVEKIT_CS_API_URL_OVERRIDES: OVERRIDES,
  LIVEKIT_INSECURE_SKIP_VERIFY_TLS: { good: ["YES_I_KNOW_WHAT_I_AM_DOING", "true", "\0"], bad: [] },
  LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: INTERVALS,
  LIVEKIT_REDIS_URL: {
    good: [
      "redis://cache",
      "rediss://me:pass@cache:6379/1",
      "redis://:pass@[::1]/",
      "valkeys://cache?db=1",
      "unix:///run/redis.sock",
      "redis+unix://me:pass@/run/redis.sock?db=1",
      "/run/redis.sock",
    ],
    bad: [
      "cache:6379",
      "http://cache",
      "redis://",
      "redis://cache/a",
      "redis:cache",
      "redis://a#b",
      "redis://cache:0",
      "redis://cache?db=one",
      "unix://run/redis.sock",
      "unix:///",
    ],
  },
  LIVEKIT_REDIS_PASSWORD: ONE_LINE,
  LIVEKIT_AS_TOKEN: TOKENS,
  LIVEKIT_HS_TOKEN: TOKENS,
  LIVEKIT_HS_SERVER_NAME: {
    good: ["example.org", "example.org:8448"],
    bad: ["https://example.org", "@a:example.org", "a b", "*"],
  },
  LIVEKIT_AS_REGISTRATION_FILE: {
    good: ["/run/registration.yaml"],
    bad: ["/run/none", "as: b", "/run/list.yaml", "/run/pairs", "/run/ca.pem"],
  },
  LIVEKIT_LOG_LEVEL: { good: ["debug", "INFO", "warn", "warning", "error", "loud"], bad: [] },
  MATRIXRTC_HOMESERVERS_ALLOWED: PATTERNS,
  MATRIXRTC_HOMESERVERS_BLOCKED: PATTERNS,
  MATRIXRTC_TOKEN_TTL_SECONDS: {
    good: ["60", "3600", "86400"],
    bad: ["59", "86401", "1h", "-60", "99999999999999999999"],
  },
  MATRIXRTC_RATE_LIMIT_PER_CLIENT: RATES,
  MATRIXRTC_RATE_LIMIT_PER_SERVER: RATES,
  MATRIXRTC_TRUSTED_PROXIES: {
    good: [...NETWORKS.good, "private", "None", "private, 203.0.113.7"],
    bad: [...NETWORKS.bad, "none, private", "all"],
  },
  MATRIXRTC_SHUTDOWN_SECONDS: { good: ["0", "8", "600"], bad: ["601", "8s", "-1"] },
  MATRIXRTC_FEDERATION_URL_OVERRIDES: OVERRIDES,
  MATRIXRTC_CA_FILE: { good: ["/run/ca.pem"], bad: ["/run/none", "/run/key"] },
  MATRIXRTC_ALLOW_NETWORKS: NETWORKS,
  MATRIXRTC_DELEGATION: { good: ["auto", "On", "off"], bad: ["true", "yes"] },
  MATRIXRTC_DELEGATE_FOR: { good: ["full-access", "all"], bad: ["full_access", "none"] },
  MATRIXRTC_STATE_DIR: { good: ["/var/lib/x", "state", "/"], bad: ["/a\0b", "a\nb"] },
  MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: INTERVALS,
  MATRIXRTC_LOG_FORMAT: { good: ["text", "JSON"], bad: ["xml", "logfmt"] },
  MATRIXRTC_LOG_IDENTIFIERS: { good: ["hashed", "plain"], bad: ["none", "raw"] },
  MATRIXRTC_METRICS_BIND: { good: [...LISTENING.good, "off"], bad: [...LISTENING.bad, "on"] },
  SSL_CERT_FILE: { good: ["/run/ca.pem", "/no-cert-file.crt", "/run/key"], bad: [] },
  SSL_CERT_DIR: { good: ["/etc/ssl/certs", "/a:/b/", ":"], bad: ["/a\nb"] },
  HTTPS_PROXY: PROXIES,
  HTTP_PROXY: PROXIES,
  OTEL_EXPORTER_OTLP_ENDPOINT: OTLP_URLS,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: OTLP_URLS,
  OTEL_EXPORTER_OTLP_HEADERS: {
    good: ["authorization=Bearer%20abc", "a=1,,b = 2 ", "a=", "a=b=c"],
    bad: ["abc", "=1", "a b=1", "a=%", "a=%0d%0a", "a=\u{e9}", "a=1\nb=2\0"],
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: { good: ["http/json", "HTTP/protobuf", "grpc", "x"], bad: [] },
  OTEL_SERVICE_NAME: { good: ["calls-auth", "a b \u{e9}"], bad: ["a\nb", "a".repeat(256)] },
  OTEL_TRACES_SAMPLER: { good: ["always_on", "parentbased_traceidratio", "x"], bad: [] },
  OTEL_TRACES_SAMPLER_ARG: { good: ["0", "1", "0.25", ".5", "x"], bad: [] },
  OTEL_SDK_DISABLED: { good: ["true", "FALSE", "1"], bad: [] },
  NO_PROXY: { good: ["localhost,.lan 10.0.0.0/8", "*"], bad: [] },
};

/** Every name of the contract, so that none is lost when the table changes. */
const CONTRACT = `
  LIVEKIT_URL LIVEKIT_INTERNAL_URL LIVEKIT_KEY LIVEKIT_KEY_FROM_FILE LIVEKIT_SECRET
  LIVEKIT_SECRET_FROM_FILE LIVEKIT_KEY_FILE LIVEKIT_SECRET_FILE LIVEKIT_PREVIOUS_KEY
  LIVEKIT_PREVIOUS_KEY_FROM_FILE LIVEKIT_PREVIOUS_SECRET LIVEKIT_PREVIOUS_SECRET_FROM_FILE
  LIVEKIT_JWT_BIND LIVEKIT_JWT_PORT LK_JWT_PORT LIVEKIT_FULL_ACCESS_HOMESERVERS
  LIVEKIT_LOCAL_HOMESERVERS LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS LIVEKIT_CS_API_URL_OVERRIDES
  LIVEKIT_REDIS_URL LIVEKIT_REDIS_URL_FROM_FILE LIVEKIT_REDIS_PASSWORD
  LIVEKIT_REDIS_PASSWORD_FROM_FILE LIVEKIT_LOG_LEVEL LIVEKIT_INSECURE_SKIP_VERIFY_TLS
  LIVEKIT_CAN_UPDATE_OWN_METADATA LIVEKIT_AS_TOKEN LIVEKIT_AS_TOKEN_FROM_FILE LIVEKIT_HS_TOKEN
  LIVEKIT_HS_TOKEN_FROM_FILE LIVEKIT_HS_SERVER_NAME LIVEKIT_AS_REGISTRATION_FILE
  LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS LIVEKIT_API_KEY LIVEKIT_API_SECRET LIVEKIT_KEYS
  SSL_CERT_FILE SSL_CERT_DIR HTTPS_PROXY HTTP_PROXY NO_PROXY STATE_DIRECTORY
  OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS
  OTEL_EXPORTER_OTLP_HEADERS_FROM_FILE OTEL_EXPORTER_OTLP_PROTOCOL OTEL_SERVICE_NAME
  OTEL_TRACES_SAMPLER OTEL_TRACES_SAMPLER_ARG OTEL_SDK_DISABLED
  MATRIXRTC_FEDERATION_URL_OVERRIDES MATRIXRTC_CA_FILE MATRIXRTC_ALLOW_NETWORKS
  MATRIXRTC_HOMESERVERS_ALLOWED MATRIXRTC_HOMESERVERS_BLOCKED MATRIXRTC_TOKEN_TTL_SECONDS
  MATRIXRTC_DELEGATION MATRIXRTC_STATE_DIR MATRIXRTC_TRUSTED_PROXIES
  MATRIXRTC_RATE_LIMIT_PER_CLIENT MATRIXRTC_RATE_LIMIT_PER_SERVER MATRIXRTC_DELEGATE_FOR
  MATRIXRTC_MEMBERSHIP_CHECK_SECONDS
  MATRIXRTC_METRICS_BIND MATRIXRTC_LOG_FORMAT MATRIXRTC_LOG_IDENTIFIERS MATRIXRTC_SHUTDOWN_SECONDS
`.trim().split(/\s+/);

Deno.test("VARIABLES knows every name of the contract", () => {
  const known = new Set(
    listVariables().flatMap(([name, variable]) => [
      name,
      ...(variable.secret === "value" ? [`${name}_FROM_FILE`] : []),
      ...(variable.otherNames ?? []).map((other) => other.name),
    ]),
  );
  assertEquals(CONTRACT.filter((name) => !known.has(name)), []);
});

Deno.test("listVariables() leaves no variable out", () => {
  assertEquals(listVariables().length, Object.keys(VARIABLES).length);
});

Deno.test("VARIABLES describes every variable in one line that fits a terminal", () => {
  for (const [name, { meaning, accepts }] of listVariables()) {
    for (const text of [meaning, accepts]) {
      assert(/^[^\n]{3,90}[^.\n]$/.test(text), `${name}: ${text}`);
    }
  }
});

for (const [name, variable] of listVariables()) {
  const { good, bad } = SAMPLES[name];
  Deno.test(`${name} accepts what it should`, () => {
    for (const text of [...good, ...(variable.default === undefined ? [] : [variable.default])]) {
      variable.parse(text, createContext());
    }
  });

  Deno.test(`${name} refuses what is malformed`, () => {
    for (const text of bad) {
      const error = catchError(() => variable.parse(text, createContext()));
      assertInstanceOf(error, InvalidValueError, `${JSON.stringify(text)} is accepted`);
      assert(!/[.\n]$|^[A-Z]/.test(error.message), `no part of a sentence: ${error.message}`);
    }
  });

  Deno.test(`${name} throws nothing but InvalidValueError`, () => {
    const alphabet = fc.constantFrom(..."aZ0198.:/,*=@%[]#?-_ \n\0\"'\\é😀".match(/./gsu)!);
    const mutated = fc.tuple(
      fc.constantFrom(...good),
      fc.nat(20),
      fc.nat(3),
      fc.string({ unit: alphabet, maxLength: 6 }),
    ).map(([text, at, length, inserted]) => text.slice(0, at) + inserted + text.slice(at + length));
    const texts = fc.oneof(fc.string({ unit: alphabet, minLength: 1 }), fc.string(), mutated);
    fc.assert(fc.property(texts, (text) => {
      const error = catchError(() => variable.parse(text, createContext()));
      if (error !== undefined) assertInstanceOf(error, InvalidValueError);
    }));
  });
}

Deno.test("parsers of secrets never quote what they refuse", () => {
  const secretOnes = listVariables().filter(([, variable]) => variable.secret !== undefined);
  assert(secretOnes.length >= 10);
  for (const [name, variable] of secretOnes) {
    for (const text of ["hunter2\nhunter2", "hunter2: x\nhunter2", "redis://hunter2/hunter2"]) {
      const context = createContext();
      const error = catchError(() => variable.parse(text, context));
      const said = [error?.message ?? "", ...context.warnings].join(" ");
      assert(!said.includes("hunter2"), `${name}: ${said}`);
    }
  }
});

Deno.test("VARIABLES gives advice that names the newer variable", () => {
  for (const [name, variable] of listVariables()) {
    for (const { advice } of (variable as Variable).otherNames ?? []) {
      if (advice !== undefined) assertStringIncludes(advice, name);
    }
  }
});

function catchError(action: () => void): Error | undefined {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
}
