import { parseCertificateFile, parseSslCertFile } from "../parse/parse_certificate_file.ts";
import { parseChoice } from "../parse/parse_choice.ts";
import { parseInteger } from "../parse/parse_integer.ts";
import { parseOptionalListenAddress } from "../parse/parse_listen_address.ts";
import { parseNetworks, parseTrustedProxies } from "../parse/parse_networks.ts";
import { parseFolder, parseFolders } from "../parse/parse_path.ts";
import { parseRateLimit } from "../parse/parse_rate_limit.ts";
import { parseProxyUrl } from "../parse/parse_secret.ts";
import { parseServerPatterns } from "../parse/parse_server_list.ts";
import { parseUrlOverrides } from "../parse/parse_url_overrides.ts";
import { splitList } from "../parse/split_list.ts";
import type { Variable } from "./variable.ts";

/**
 * The variables that only this service has.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { MATRIXRTC_VARIABLES } from "./matrixrtc_variables.ts";
 *
 * assertEquals(MATRIXRTC_VARIABLES.MATRIXRTC_TOKEN_TTL_SECONDS.parse("3600"), 3600);
 * ```
 */
export const MATRIXRTC_VARIABLES = {
  MATRIXRTC_HOMESERVERS_ALLOWED: {
    group: "Who may come",
    meaning: "servers whose users may come at all",
    accepts: "server names or patterns like *.example.org, separated by commas or blanks",
    unset: "all",
    parse: parseServerPatterns,
  },
  MATRIXRTC_HOMESERVERS_BLOCKED: {
    group: "Who may come",
    meaning: "servers whose users may not come",
    accepts: "server names or patterns like *.example.org, separated by commas or blanks",
    unset: "none",
    parse: parseServerPatterns,
  },
  MATRIXRTC_TOKEN_TTL_SECONDS: {
    group: "Who may come",
    meaning: "how long a join token may be used",
    accepts: "whole seconds from 60 to 86400",
    default: "3600",
    parse: parseInteger({ min: 60, max: 86_400 }),
  },
  MATRIXRTC_RATE_LIMIT_PER_CLIENT: {
    group: "Who may come",
    meaning: "cost that a client's address may cause; a request costs 1, a refused token 10",
    accepts: "cost/seconds, for example 600/60, or off",
    default: "600/60",
    parse: parseRateLimit,
  },
  MATRIXRTC_RATE_LIMIT_PER_SERVER: {
    group: "Who may come",
    meaning: "requests with tokens of one server, unless it has full access",
    accepts: "count/seconds, for example 600/60, or off",
    default: "600/60",
    parse: parseRateLimit,
  },
  MATRIXRTC_TRUSTED_PROXIES: {
    group: "Listening",
    meaning: "proxies whose X-Forwarded-For and Forwarded headers are believed",
    accepts: "networks like 10.0.0.0/8, separated by commas or blanks; private; none",
    default: "private",
    parse: parseTrustedProxies,
  },
  MATRIXRTC_SHUTDOWN_SECONDS: {
    group: "Listening",
    meaning: "how long requests may take to end after a stop signal",
    accepts: "whole seconds from 0 to 600",
    default: "8",
    parse: parseInteger({ min: 0, max: 600 }),
  },
  MATRIXRTC_FEDERATION_URL_OVERRIDES: {
    group: "Other servers",
    meaning: "where to ask a server about its users, without resolving its name",
    accepts: "server=url entries, separated by commas",
    unset: "none",
    parse: parseUrlOverrides,
  },
  MATRIXRTC_CA_FILE: {
    group: "Other servers",
    meaning: "certificates trusted besides the system's",
    accepts: "the path of a file of PEM certificates",
    unset: "none",
    parse: parseCertificateFile,
  },
  MATRIXRTC_ALLOW_NETWORKS: {
    group: "Other servers",
    meaning: "networks that other servers may resolve to although they are not public",
    accepts: "networks like 10.0.0.0/8 or fd00::/8, separated by commas or blanks",
    unset: "none",
    parse: parseNetworks,
  },
  MATRIXRTC_DELEGATION: {
    group: "Delegated leaves",
    meaning: "whether to take over leave events; auto: once it is sure to work",
    accepts: "auto, on or off",
    default: "auto",
    parse: parseChoice("auto", "on", "off"),
  },
  MATRIXRTC_DELEGATE_FOR: {
    group: "Delegated leaves",
    meaning: "whose leave events to take over",
    accepts: "full-access or all",
    default: "full-access",
    parse: parseChoice("full-access", "all"),
  },
  MATRIXRTC_STATE_DIR: {
    group: "Delegated leaves",
    meaning: "folder that keeps the jobs over a restart",
    accepts: "the path of a folder",
    unset: "none: memory",
    otherNames: [{
      name: "STATE_DIRECTORY",
      kind: "value",
      // systemd lists several separated by colons; the unit's first is the main one.
      convert: (text) => text.split(":")[0] || undefined,
    }],
    parse: parseFolder,
  },
  MATRIXRTC_MEMBERSHIP_CHECK_SECONDS: {
    group: "Homeserver mode",
    meaning: "how often to check that participants are still joined in the Matrix room; 0 never",
    accepts: "whole seconds from 0 to 86400",
    default: "60",
    otherNames: [{
      name: "LIVEKIT_MEMBERSHIP_CHECK_INTERVAL_SECONDS",
      kind: "value",
      advice: "is an old name: rename it to MATRIXRTC_MEMBERSHIP_CHECK_SECONDS",
    }],
    parse: parseInteger({ min: 0, max: 86_400 }),
  },
  MATRIXRTC_LOG_FORMAT: {
    group: "Logs and metrics",
    meaning: "how log records look",
    accepts: "text or json",
    default: "text",
    parse: parseChoice("text", "json"),
  },
  MATRIXRTC_LOG_IDENTIFIERS: {
    group: "Logs and metrics",
    meaning: "how user, device and room IDs are logged",
    accepts: "hashed or plain",
    default: "hashed",
    parse: parseChoice("hashed", "plain"),
  },
  MATRIXRTC_METRICS_BIND: {
    group: "Logs and metrics",
    meaning: "where /metrics listens",
    accepts: ":port, host:port, [IPv6]:port, unix:/path or off",
    default: "off",
    parse: parseOptionalListenAddress,
  },
} as const satisfies Record<string, Variable>;

/**
 * Variables that many programs share. They are read so that a machine's settings for outgoing
 * connections hold for this service too.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PLATFORM_VARIABLES } from "./matrixrtc_variables.ts";
 *
 * assertEquals(PLATFORM_VARIABLES.NO_PROXY.parse("localhost,.lan"), ["localhost", ".lan"]);
 * ```
 */
export const PLATFORM_VARIABLES = {
  SSL_CERT_FILE: {
    group: "Other servers",
    meaning: "certificates trusted in place of the system's",
    accepts: "the path of a file of PEM certificates",
    unset: "system store",
    parse: parseSslCertFile,
  },
  SSL_CERT_DIR: {
    group: "Other servers",
    meaning: "folders of certificates trusted in place of the system's",
    accepts: "paths of folders, separated by colons",
    unset: "system store",
    parse: parseFolders,
  },
  HTTPS_PROXY: {
    group: "Other servers",
    meaning: "proxy for https requests to other servers",
    accepts: "an http or https URL, or host:port",
    unset: "none",
    secret: "value",
    otherNames: [{ name: "https_proxy", kind: "value" }],
    parse: parseProxyUrl,
  },
  HTTP_PROXY: {
    group: "Other servers",
    meaning: "proxy for http requests to other servers",
    accepts: "an http or https URL, or host:port",
    unset: "none",
    secret: "value",
    otherNames: [{ name: "http_proxy", kind: "value" }],
    parse: parseProxyUrl,
  },
  NO_PROXY: {
    group: "Other servers",
    meaning: "hosts reached without a proxy",
    accepts: "hosts, domains and networks, separated by commas",
    unset: "none",
    otherNames: [{ name: "no_proxy", kind: "value" }],
    parse: splitList,
  },
} as const satisfies Record<string, Variable>;
