import type { ListenAddress } from "../config.ts";
import { ConfigError } from "../config_error.ts";
import { Findings } from "../findings.ts";
import { readVariable } from "../sources/read_variable.ts";
import { type ConfigSources, type OpenSources, openSources } from "../sources/sources.ts";
import { VARIABLES } from "../variables/variables.ts";

/** What a registration is written from. */
export interface RegistrationSettings {
  /** The homeserver that it is for. */
  readonly serverName: string;
  /** Where that homeserver reaches this service; no slash at its end. */
  readonly proxyUrl: string;
  /** What the homeserver has to tell clients, letter by letter; absent: not configured yet. */
  readonly liveKitUrl?: string;
  /** Where this service looks for the file, if that is configured. */
  readonly path?: string;
}

/** What was said on the command line; it wins over the variables, which are then not read. */
export type RegistrationOverrides = Partial<Pick<RegistrationSettings, "serverName" | "proxyUrl">>;

/**
 * Reads the little that a registration needs, so that it can be written before anything else is
 * configured: no key, no tokens, and no registration file yet.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadRegistrationSettings } from "./registration_settings.ts";
 *
 * const env = { LIVEKIT_FULL_ACCESS_HOMESERVERS: "example.org" };
 * assertEquals(loadRegistrationSettings({ env, readFile: () => "" }), {
 *   serverName: "example.org",
 *   proxyUrl: "http://127.0.0.1:8080",
 * });
 * ```
 *
 * @throws {ConfigError} When a name or an address is missing, or a variable that is read faulty.
 */
export function loadRegistrationSettings(
  sources: ConfigSources,
  overrides: RegistrationOverrides = {},
): RegistrationSettings {
  const open = openSources(sources);
  const findings = new Findings();
  const serverName = overrides.serverName ?? findServerName(open, findings);
  const proxyUrl = overrides.proxyUrl ?? findProxyUrl(open, findings);
  const { LIVEKIT_URL } = VARIABLES;
  const liveKitUrl = readVariable("LIVEKIT_URL", LIVEKIT_URL, open, findings).value;
  const path = open.find("LIVEKIT_AS_REGISTRATION_FILE")?.text;
  if (serverName === undefined || proxyUrl === undefined || findings.faults.length > 0) {
    throw new ConfigError(findings.faults, findings.warnings);
  }
  return {
    serverName,
    proxyUrl,
    ...liveKitUrl !== undefined && { liveKitUrl },
    // Whoever wrote the file's text in place of its path must not find it in the output.
    ...path !== undefined && PLAIN_PATH.test(path) && { path },
  };
}

/** One that needs no quoting, in YAML or a shell. */
const PLAIN_PATH = /^\/[A-Za-z0-9._/-]+$/;

/** An address that only the system knows, or that no URL can have. */
const NO_URL = 'has no address that the homeserver could ask. Accepted: "config registration ' +
  '--url URL" with the address where it reaches this service';

function findServerName(sources: OpenSources, findings: Findings): string | undefined {
  const own = "LIVEKIT_HS_SERVER_NAME";
  const name = readVariable(own, VARIABLES[own], sources, findings).value;
  if (name !== undefined || findings.isFaulty(own)) return name;
  const list = "LIVEKIT_FULL_ACCESS_HOMESERVERS";
  const names = readVariable(list, VARIABLES[list], sources, findings).value ?? [];
  const [first, ...others] = names;
  if (first !== undefined && first !== "*" && others.length === 0) return first;
  if (!findings.isFaulty(list)) {
    findings.fault(
      own,
      `is not set, and ${list} does not name exactly one server. Accepted: either of them, or ` +
        '"config registration --server NAME"',
    );
  }
  return undefined;
}

function findProxyUrl(sources: OpenSources, findings: Findings): string | undefined {
  const name = "LIVEKIT_JWT_BIND";
  const address = readVariable(name, VARIABLES[name], sources, findings).value;
  if (address === undefined) return undefined;
  const url = urlOf(address);
  if (url === undefined) findings.fault(name, NO_URL);
  return url;
}

function urlOf(address: ListenAddress): string | undefined {
  if (address.kind === "unix" || address.port === 0) return undefined;
  const { hostname = "0.0.0.0", port } = address;
  const url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}`;
  // A zone such as %eth0 has no place in a URL.
  if (!URL.canParse(url)) return undefined;
  const host = new URL(url).hostname;
  return `http://${host === "0.0.0.0" || host === "[::]" ? "127.0.0.1" : host}:${port}`;
}
