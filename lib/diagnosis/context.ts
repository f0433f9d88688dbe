/** What checks are given: the configuration, the world, and what others have found already. */

import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { LoadedConfig } from "../config/load_config.ts";
import type { AddressLookup } from "../net/dial.ts";
import type { HttpClient } from "../net/http_client.ts";
import type { TlsTrust } from "../net/tls_trust.ts";
import type { Secret } from "../secret.ts";
import type { SrvLookup } from "../verification/srv.ts";
import { createFacts, type Facts } from "./facts.ts";
import { createShakeHands, type ShakeHands } from "./handshake.ts";
import { createOnce, type Once } from "./once.ts";
import { createProbe, type Probe } from "./probe.ts";

/** What the person who asks has said. */
export interface DoctorOptions {
  /** Server names to look at; none: those of the configuration. */
  readonly serverNames?: readonly string[];
  /** Where clients reach this service; found by discovery if not given. */
  readonly publicUrl?: string;
  /** An access token of a user of the first server name. */
  readonly userToken?: Secret;
  /** A room that this user is joined to. */
  readonly room?: string;
}

/** The world outside. */
export interface DoctorEffects {
  readonly clock: Clock;
  /** Whoever makes it closes it. */
  readonly client: HttpClient;
  readonly lookup: AddressLookup;
  readonly lookupSrv: SrvLookup;
  readonly trust: TlsTrust;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** All that checks are given. */
export interface DoctorContext extends DoctorEffects {
  readonly loaded: LoadedConfig;
  readonly config: Config;
  /** The Matrix servers to look at; may be none. */
  readonly serverNames: readonly string[];
  /** As given; {@linkcode Facts.ownService} knows more. */
  readonly publicUrl?: string;
  readonly userToken?: Secret;
  readonly room?: string;
  /** Asks for a URL and shows the answer, however wrong it is. */
  readonly probe: Probe;
  /** Looks at one address: open or not, and which certificate. */
  readonly shakeHands: ShakeHands;
  readonly facts: Facts;
  /** For facts that some checks share and {@linkcode Facts} has not; keys name what it is. */
  readonly once: Once;
  /** Whether a server name is the operator's own word, so that it may be on a private address. */
  readonly isOwn: (serverName: string) => boolean;
}

/** Makes the context. Nothing is asked of anybody yet. */
export function createDoctorContext(
  loaded: LoadedConfig,
  effects: DoctorEffects,
  options: DoctorOptions = {},
): DoctorContext {
  const { config } = loaded;
  const { publicUrl, userToken, room } = options;
  const configured = ownServerNames(config);
  const serverNames = options.serverNames?.length ? options.serverNames : configured;
  const probe = createProbe(effects.client, effects.clock);
  const once = createOnce();
  const given = {
    ...publicUrl !== undefined && { publicUrl },
    ...userToken !== undefined && { userToken },
  };
  // Where nobody is configured, whom the person names is the operator's.
  const ownNames = configured.length === 0
    ? serverNames
    : serverNames.filter((name) => configured.includes(name));
  const own = new Set([...serverNames, ...config.federationUrlOverrides.keys()]);
  return {
    ...effects,
    ...given,
    ...room !== undefined && { room },
    loaded,
    config,
    serverNames,
    probe,
    shakeHands: createShakeHands(effects.trust, effects.clock),
    once,
    facts: createFacts({ ...given, config, probe, once, serverNames, ownNames }),
    isOwn: (serverName) => own.has(serverName) || configured.includes(serverName),
  };
}

/**
 * The Matrix servers that a configuration is for: those with full access, `*` aside, and the one
 * of homeserver mode.
 */
export function ownServerNames(config: Pick<Config, "fullAccess" | "appService">): string[] {
  const names = config.fullAccess.filter((name) => name !== "*");
  return [...new Set([...names, ...config.appService ? [config.appService.serverName] : []])];
}
