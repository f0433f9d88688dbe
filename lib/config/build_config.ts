import type { Config, KeyPair } from "./config.ts";
import { toApiUrl } from "./parse/parse_url.ts";
import type { Rate } from "./parse/parse_rate_limit.ts";
import type { Values } from "./variables/variables.ts";

/**
 * Arranges parsed values the way the code asks for them. Nothing can go wrong any more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadConfig } from "./load_config.ts";
 *
 * const env = { LIVEKIT_URL: "ws://sfu/a/", LIVEKIT_KEY: "devkey", LIVEKIT_SECRET: "secret" };
 * const { liveKit } = loadConfig({ env, readFile: () => "" }).config;
 * assertEquals([liveKit.url, liveKit.apiUrl], ["ws://sfu/a/", "http://sfu/a"]);
 * ```
 *
 * @param values Complete, and checked together.
 * @param pair The key and secret that were chosen out of several variables.
 */
export function buildConfig(values: Values, pair: KeyPair): Config {
  const url = values.LIVEKIT_URL!;
  return {
    liveKit: {
      url,
      apiUrl: toApiUrl(values.LIVEKIT_INTERNAL_URL ?? url),
      key: pair.key,
      secret: pair.secret,
      ...previousPair(values),
    },
    listen: values.LIVEKIT_JWT_BIND,
    fullAccess: values.LIVEKIT_FULL_ACCESS_HOMESERVERS ?? [],
    canUpdateOwnMetadata: values.LIVEKIT_CAN_UPDATE_OWN_METADATA,
    tokenTtlSeconds: values.MATRIXRTC_TOKEN_TTL_SECONDS,
    homeservers: {
      ...present("allowed", values.MATRIXRTC_HOMESERVERS_ALLOWED),
      blocked: values.MATRIXRTC_HOMESERVERS_BLOCKED ?? [],
    },
    federationUrlOverrides: values.MATRIXRTC_FEDERATION_URL_OVERRIDES ?? new Map(),
    csApiUrlOverrides: values.LIVEKIT_CS_API_URL_OVERRIDES ?? new Map(),
    allowNetworks: values.MATRIXRTC_ALLOW_NETWORKS ?? [],
    ...present("caFile", values.MATRIXRTC_CA_FILE),
    ...present("sslCertFile", values.SSL_CERT_FILE),
    sslCertDirs: values.SSL_CERT_DIR ?? [],
    insecureSkipVerifyTls: values.LIVEKIT_INSECURE_SKIP_VERIFY_TLS ?? false,
    outgoingProxy: {
      ...present("https", values.HTTPS_PROXY),
      ...present("http", values.HTTP_PROXY),
      except: values.NO_PROXY ?? [],
    },
    log: {
      level: values.LIVEKIT_LOG_LEVEL,
      format: values.MATRIXRTC_LOG_FORMAT,
      identifiers: values.MATRIXRTC_LOG_IDENTIFIERS,
    },
    trustedProxies: values.MATRIXRTC_TRUSTED_PROXIES,
    rateLimit: rateLimits(values),
    ...present("metricsListen", values.MATRIXRTC_METRICS_BIND),
    ...tracing(values),
    shutdownSeconds: values.MATRIXRTC_SHUTDOWN_SECONDS,
    delegation: {
      mode: values.MATRIXRTC_DELEGATION,
      delegateFor: values.MATRIXRTC_DELEGATE_FOR,
      sanityCheckIntervalSeconds: values.LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS,
      ...present("stateDir", values.MATRIXRTC_STATE_DIR),
      ...redis(values),
    },
    ...homeserverMode(values),
    membershipCheckSeconds: values.MATRIXRTC_MEMBERSHIP_CHECK_SECONDS,
  };
}

/** An absent member rather than one that is `undefined`, as `exactOptionalPropertyTypes` asks. */
function present<K extends string, T>(key: K, value: T | undefined): { [_ in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [_ in K]?: T };
}

function previousPair(values: Values): Pick<Config["liveKit"], "previous"> {
  const { LIVEKIT_PREVIOUS_KEY: key, LIVEKIT_PREVIOUS_SECRET: secret } = values;
  return key === undefined || secret === undefined ? {} : { previous: { key, secret } };
}

function rateLimits(values: Values): Config["rateLimit"] {
  const perClient: Rate | undefined = values.MATRIXRTC_RATE_LIMIT_PER_CLIENT;
  const perServer: Rate | undefined = values.MATRIXRTC_RATE_LIMIT_PER_SERVER;
  return {
    ...perClient && { perClient: { cost: perClient.amount, seconds: perClient.seconds } },
    ...perServer && { perServer: { count: perServer.amount, seconds: perServer.seconds } },
  };
}

function tracing(values: Values): Pick<Config, "tracing"> {
  const url = values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? values.OTEL_EXPORTER_OTLP_ENDPOINT;
  const sampleRatio = {
    always_on: 1,
    always_off: 0,
    traceidratio: values.OTEL_TRACES_SAMPLER_ARG,
  }[values.OTEL_TRACES_SAMPLER];
  const isOff = values.OTEL_SDK_DISABLED || values.OTEL_EXPORTER_OTLP_PROTOCOL === "grpc" ||
    sampleRatio === 0;
  if (url === undefined || isOff) return {};
  const headers = values.OTEL_EXPORTER_OTLP_HEADERS ?? new Map();
  return { tracing: { url, headers, serviceName: values.OTEL_SERVICE_NAME, sampleRatio } };
}

function redis(values: Values): Pick<Config["delegation"], "redis"> {
  const url = values.LIVEKIT_REDIS_URL;
  if (url === undefined) return {};
  return { redis: { url, ...present("password", values.LIVEKIT_REDIS_PASSWORD) } };
}

function homeserverMode(values: Values): Pick<Config, "appService"> {
  const serverName = values.LIVEKIT_HS_SERVER_NAME;
  const { asToken, hsToken } = values.LIVEKIT_AS_REGISTRATION_FILE ??
    { asToken: values.LIVEKIT_AS_TOKEN, hsToken: values.LIVEKIT_HS_TOKEN };
  if (serverName === undefined || asToken === undefined || hsToken === undefined) return {};
  return { appService: { asToken, hsToken, serverName } };
}
