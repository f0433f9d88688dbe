import { parseInsecureSkipVerifyTls, parseLogLevel, parseSwitch } from "../parse/parse_choice.ts";
import { parseInteger } from "../parse/parse_integer.ts";
import { parseKeyFile, parseKeys } from "../parse/parse_key_file.ts";
import { parseListenAddress } from "../parse/parse_listen_address.ts";
import { parseRedisUrl } from "../parse/parse_redis_url.ts";
import { parseRegistrationFile } from "../registration/parse_registration.ts";
import { parseApiKey, parseApiSecret, parseSecret, parseToken } from "../parse/parse_secret.ts";
import { parseFullAccess, parseOwnServerName } from "../parse/parse_server_list.ts";
import { parseSfuUrl } from "../parse/parse_url.ts";
import { parseUrlOverrides } from "../parse/parse_url_overrides.ts";
import type { Variable } from "./variable.ts";

/**
 * Kubernetes gives every pod `<SERVICE>_PORT=tcp://…` for each service of its namespace, so a
 * service called `livekit-jwt` sets the old port variable by accident.
 */
function portToBind(text: string): string | undefined {
  return /^(tcp|udp|sctp):\/\//.test(text) ? undefined : `:${text}`;
}

/**
 * The variables that lk-jwt-service has too, and those added in its manner.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LIVEKIT_VARIABLES } from "./livekit_variables.ts";
 *
 * assertEquals(LIVEKIT_VARIABLES.LIVEKIT_JWT_BIND.default, ":8080");
 * ```
 */
export const LIVEKIT_VARIABLES = {
  LIVEKIT_URL: {
    group: "LiveKit",
    meaning: "address of the SFU that clients get, letter by letter",
    accepts: "a ws, wss, http or https URL without user, query or fragment",
    parse: parseSfuUrl,
  },
  LIVEKIT_INTERNAL_URL: {
    group: "LiveKit",
    meaning: "where this service reaches the SFU's API",
    accepts: "a ws, wss, http or https URL without user, query or fragment",
    unset: "LIVEKIT_URL",
    parse: parseSfuUrl,
  },
  LIVEKIT_KEY: {
    group: "LiveKit",
    meaning: "name of the API key, the same as in LiveKit's own configuration",
    accepts: "one line of text",
    secret: "value",
    otherNames: [{ name: "LIVEKIT_API_KEY", kind: "value" }],
    parse: parseApiKey,
  },
  LIVEKIT_SECRET: {
    group: "LiveKit",
    meaning: "secret of the API key",
    accepts: "one line of text, best of 32 characters or more",
    secret: "value",
    otherNames: [
      {
        name: "LIVEKIT_SECRET_FILE",
        kind: "file",
        advice: "is an old name: rename it to LIVEKIT_SECRET_FROM_FILE",
      },
      { name: "LIVEKIT_API_SECRET", kind: "value" },
    ],
    parse: parseApiSecret,
  },
  LIVEKIT_KEY_FILE: {
    group: "LiveKit",
    meaning: "file with key and secret, in place of both; LIVEKIT_KEY picks one of several lines",
    accepts: 'the path of a file with lines of the form "key: secret", or with just the key',
    secret: "file",
    parse: parseKeyFile,
  },
  LIVEKIT_KEYS: {
    group: "LiveKit",
    meaning: "LiveKit's own variable, used when nothing else gives key and secret",
    accepts: 'lines of the form "key: secret"',
    secret: "value",
    parse: parseKeys,
  },
  LIVEKIT_PREVIOUS_KEY: {
    group: "LiveKit",
    meaning: "a second key that webhooks may be signed with while keys are rotated",
    accepts: "one line of text",
    secret: "value",
    parse: parseApiKey,
  },
  LIVEKIT_PREVIOUS_SECRET: {
    group: "LiveKit",
    meaning: "secret of the second key",
    accepts: "one line of text",
    secret: "value",
    parse: parseApiSecret,
  },
  LIVEKIT_CAN_UPDATE_OWN_METADATA: {
    group: "LiveKit",
    meaning: "whether participants may change their own metadata",
    accepts: "true or false",
    default: "false",
    parse: parseSwitch,
  },
  LIVEKIT_JWT_BIND: {
    group: "Listening",
    meaning: "where to listen",
    accepts: ":port, host:port, [IPv6]:port or unix:/path",
    default: ":8080",
    otherNames: [
      {
        name: "LIVEKIT_JWT_PORT",
        kind: "value",
        advice: "is an old name: set LIVEKIT_JWT_BIND=:port instead",
        accepts: "a port number; better, LIVEKIT_JWT_BIND",
        convert: portToBind,
      },
      {
        name: "LK_JWT_PORT",
        kind: "value",
        advice: "is an old name: set LIVEKIT_JWT_BIND=:port instead",
        accepts: "a port number; better, LIVEKIT_JWT_BIND",
        convert: portToBind,
      },
    ],
    parse: parseListenAddress,
  },
  LIVEKIT_FULL_ACCESS_HOMESERVERS: {
    group: "Who may come",
    meaning: "servers whose users may create rooms",
    accepts: "Matrix server names, separated by commas or blanks, or * alone for all",
    unset: "none",
    otherNames: [{
      name: "LIVEKIT_LOCAL_HOMESERVERS",
      kind: "value",
      advice: "is an old name: rename it to LIVEKIT_FULL_ACCESS_HOMESERVERS",
    }],
    parse: parseFullAccess,
  },
  LIVEKIT_CS_API_URL_OVERRIDES: {
    group: "Delegated leaves",
    meaning: "where to reach a server's client API, without asking its well-known file",
    accepts: "server=url entries, separated by commas",
    unset: "none",
    parse: parseUrlOverrides,
  },
  LIVEKIT_INSECURE_SKIP_VERIFY_TLS: {
    group: "Other servers",
    meaning: "do not verify certificates; for laboratories without a CA only",
    accepts: "YES_I_KNOW_WHAT_I_AM_DOING; anything else is ignored",
    unset: "off",
    parse: parseInsecureSkipVerifyTls,
  },
  LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS: {
    group: "Delegated leaves",
    meaning: "how often to ask the SFU who is there, besides its webhooks; 0 never",
    accepts: "whole seconds from 0 to 86400",
    default: "30",
    // A day at most: longer intervals are surely a mistake of the unit.
    parse: parseInteger({ min: 0, max: 86_400 }),
  },
  LIVEKIT_REDIS_URL: {
    group: "Delegated leaves",
    meaning: "Redis or Valkey that keeps the jobs; needed for several replicas",
    accepts: "redis:// or rediss://[user:password@]host[:port][/number], or unix:///path",
    secret: "value",
    parse: parseRedisUrl,
  },
  LIVEKIT_REDIS_PASSWORD: {
    group: "Delegated leaves",
    meaning: "password of that Redis, not URL-encoded",
    accepts: "one line of text",
    secret: "value",
    parse: parseSecret,
  },
  LIVEKIT_AS_TOKEN: {
    group: "Homeserver mode",
    meaning: "token that this service shows to its homeserver",
    accepts: "printable ASCII characters without blanks, at most 1024",
    secret: "value",
    parse: parseToken,
  },
  LIVEKIT_HS_TOKEN: {
    group: "Homeserver mode",
    meaning: "token that the homeserver shows to this service",
    accepts: "printable ASCII characters without blanks, at most 1024",
    secret: "value",
    parse: parseToken,
  },
  LIVEKIT_HS_SERVER_NAME: {
    group: "Homeserver mode",
    meaning: "name of that homeserver",
    accepts: "a Matrix server name, the part after the colon in user IDs",
    parse: parseOwnServerName,
  },
  LIVEKIT_AS_REGISTRATION_FILE: {
    group: "Homeserver mode",
    meaning: "registration file that the homeserver has too, in place of both tokens",
    accepts: "the path of a YAML file with as_token and hs_token",
    secret: "file",
    parse: parseRegistrationFile,
  },
  LIVEKIT_LOG_LEVEL: {
    group: "Logs and metrics",
    meaning: "how much to log",
    accepts: "debug, info, warning or error",
    default: "info",
    parse: parseLogLevel,
  },
} as const satisfies Record<string, Variable>;
