import type { Secret } from "../secret.ts";

/** Where a listener waits for connections. */
export type ListenAddress =
  | {
    readonly kind: "tcp";
    /** Absent: all addresses, `[::]` first and `0.0.0.0` where IPv6 is missing. */
    readonly hostname?: string;
    /** `0` lets the system choose. */
    readonly port: number;
  }
  | { readonly kind: "unix"; readonly path: string };

/** A key and secret of the SFU's API. */
export interface KeyPair {
  readonly key: string;
  readonly secret: Secret;
}

/** A file of PEM certificates, read at the start. */
export interface CertificateFile {
  readonly path: string;
  readonly pem: string;
}

/**
 * All that an operator can decide, checked and in the units that the code uses.
 *
 * @example Ask what was decided
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Config } from "./config.ts";
 * import { loadConfig } from "./load_config.ts";
 *
 * const env = { LIVEKIT_URL: "ws://sfu", LIVEKIT_KEY: "devkey", LIVEKIT_SECRET: "secret" };
 * const readFile = () => {
 *   throw new Error("this configuration names no file");
 * };
 * const config: Config = loadConfig({ env, readFile }).config;
 * assertEquals(config.listen, { kind: "tcp", port: 8080 });
 * ```
 */
export interface Config {
  readonly liveKit: {
    /** What clients get, letter by letter what the operator wrote. */
    readonly url: string;
    /** Base of the server API: `http:` or `https:`, any path prefix kept, no slash at its end. */
    readonly apiUrl: string;
    /** A second pair that webhooks may be signed with while keys are rotated. */
    readonly previous?: KeyPair;
  } & KeyPair;
  readonly listen: ListenAddress;
  /** Server names, or `["*"]` for all. */
  readonly fullAccess: readonly string[];
  readonly canUpdateOwnMetadata: boolean;
  readonly tokenTtlSeconds: number;
  /** Whose users may come at all: server names and patterns like `*.example.org`. */
  readonly homeservers: {
    /** Absent: all. */
    readonly allowed?: readonly string[];
    readonly blocked: readonly string[];
  };
  /** Server name → base URL without a slash at its end, asked for userinfo without resolution. */
  readonly federationUrlOverrides: ReadonlyMap<string, string>;
  /** Server name → base URL of its client API without a slash at its end. */
  readonly csApiUrlOverrides: ReadonlyMap<string, string>;
  /** Networks that other servers may resolve to although they are not public, as CIDRs. */
  readonly allowNetworks: readonly string[];
  /** Trusted in addition to the system's certificates. */
  readonly caFile?: CertificateFile;
  /** Of `SSL_CERT_FILE`, which takes the place of the system's certificates. */
  readonly sslCertFile?: CertificateFile;
  /** Of `SSL_CERT_DIR`, not looked into here. */
  readonly sslCertDirs: readonly string[];
  readonly insecureSkipVerifyTls: boolean;
  /** Proxies for requests to the outside; secret because their URLs may hold a password. */
  readonly outgoingProxy: {
    readonly https?: Secret;
    readonly http?: Secret;
    /** Entries of `NO_PROXY`: hosts, domains, CIDRs, `*`. */
    readonly except: readonly string[];
  };
  readonly log: {
    readonly level: LogLevel;
    readonly format: "text" | "json";
    readonly identifiers: "hashed" | "plain";
  };
  /** Networks whose forwarding headers are believed, as CIDRs. */
  readonly trustedProxies: readonly string[];
  /** Absent members are off. */
  readonly rateLimit: {
    readonly perClient?: { readonly cost: number; readonly seconds: number };
    readonly perServer?: { readonly count: number; readonly seconds: number };
  };
  /** Absent: no metrics. */
  readonly metricsListen?: ListenAddress;
  /** Absent: no traces. */
  readonly tracing?: TracingConfig;
  /** The longest drain. */
  readonly shutdownSeconds: number;
  readonly delegation: {
    readonly mode: "auto" | "on" | "off";
    readonly delegateFor: "full-access" | "all";
    /** `0`: no polling. */
    readonly sanityCheckIntervalSeconds: number;
    /** Absent: jobs are kept in memory. */
    readonly stateDir?: string;
    readonly redis?: { readonly url: Secret; readonly password?: Secret };
  };
  /** Present in homeserver mode; the tokens are variables or out of a registration file. */
  readonly appService?: {
    readonly asToken: Secret;
    readonly hsToken: Secret;
    readonly serverName: string;
  };
  /**
   * How often participants are checked to be joined in the Matrix room still; `0`: never.
   * Without `appService` nobody could be asked, whatever this says.
   */
  readonly membershipCheckSeconds: number;
}

/** Where traces go, and of what. */
export interface TracingConfig {
  /** The whole URL that takes them. */
  readonly url: string;
  /** For the collector, by name in lower case. */
  readonly headers: ReadonlyMap<string, Secret>;
  readonly serviceName: string;
  /** The share of requests that are traced, above 0 and at most 1. */
  readonly sampleRatio: number;
}

/** From the most to the least talkative. */
export type LogLevel = "debug" | "info" | "warning" | "error";
