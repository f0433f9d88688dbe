/** Puts the parts of homeserver mode together: MSC4195 behind the own homeserver. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { ClientApi } from "./homeserver/client_api.ts";
import { composeOwnHomeserver } from "./homeserver/compose.ts";
import type { Route } from "./http/endpoint.ts";
import { createHomeserverRoutes } from "./http/homeserver_routes.ts";
import { createHsTokenCheck } from "./http/hs_token.ts";
import { WorkLimit } from "./http/work_limit.ts";
import type { UpstreamError } from "./matrix/errors.ts";
import { isAdmitted } from "./matrix/server_lists.ts";
import { createMembershipWatch, type MembershipWatch } from "./membership/membership_watch.ts";
import type { HttpClient } from "./net/http_client.ts";
import type { Pseudonym } from "./observability/pseudonym.ts";
import type { ServerLimit } from "./rate_limit/server_limit.ts";
import type { Secret } from "./secret.ts";
import type { Participants } from "./sfu/participants.ts";
import type { RemoveParticipant } from "./sfu/remove_participant.ts";
import type { Signer } from "./signing/hs256.ts";
import { createJoinTokenIssuer, MAX_SHORT_TTL_SECONDS } from "./signing/join_token.ts";
import { createMemberSeal, type MemberSeal } from "./signing/member_seal.ts";
import type { Delegation } from "./usecases/delegation.ts";
import type { CallAccessDeps } from "./usecases/homeserver_mode/call_access.ts";
import { delegateDelayedLeave } from "./usecases/homeserver_mode/delegate_delayed_leave.ts";
import { federationGetToken } from "./usecases/homeserver_mode/federation_get_token.ts";
import { getToken } from "./usecases/homeserver_mode/get_token.ts";

/** What homeserver mode takes of the rest of the service. */
export interface HomeserverModeParts {
  readonly client: HttpClient;
  readonly clientApi: ClientApi;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly pseudonym: Pseudonym;
  readonly sign: Signer;
  /** Of the SFU's API; the first one seals. */
  readonly secrets: readonly Secret[];
  readonly participants: Participants;
  readonly removeParticipant: RemoveParticipant;
  readonly ensureRoom: CallAccessDeps["ensureRoom"];
  readonly delegation: Delegation;
  /** Counts other servers' requests; absent where they may come as often as they like. */
  readonly limitServer?: ServerLimit;
  /** Whether a task falls to this process that one of the replicas is enough for. */
  readonly fallsToThis: (task: string) => boolean;
}

/** What the rest of the service sees of it. */
export interface HomeserverMode {
  readonly routes: Readonly<Record<string, Route>>;
  /** Removes those from calls who have left the room. */
  readonly membershipWatch: MembershipWatch;
  /** For the tokens of the stand-alone mode: whoever is banned is to leave the call, however they came. */
  readonly seal: MemberSeal;
  /** For the start: asks the homeserver once, logs what comes of it, and never rejects. */
  check(): Promise<void>;
  /** Asks the homeserver once and returns why there was no answer, if there was none. */
  probe(): Promise<UpstreamError | undefined>;
}

/** Requests of the homeserver's clients in hand at once, and of other servers. */
const MAX_FOR_CLIENTS = 1_024;
const MAX_FOR_SERVERS = 512;

/** Makes it. Nothing is asked before it is started. */
export function composeHomeserverMode(
  appService: NonNullable<Config["appService"]>,
  config: Config,
  parts: HomeserverModeParts,
): HomeserverMode {
  const { clock, log, pseudonym } = parts;
  const ownServerName = appService.serverName;
  const homeserver = composeOwnHomeserver({ ...parts, appService });

  const seal = createMemberSeal(parts.secrets);
  const deps = {
    ...homeserver,
    ownServerName,
    sfuUrl: config.liveKit.url,
    isAdmitted: (serverName: string) => isAdmitted(serverName, config.homeservers),
    issueJoinToken: createJoinTokenIssuer({
      apiKey: config.liveKit.key,
      sign: parts.sign,
      ttlSeconds: Math.min(config.tokenTtlSeconds, MAX_SHORT_TTL_SECONDS),
      // What tells who a participant is stands there, too.
      canUpdateOwnMetadata: false,
      seal,
      clock,
    }),
    ensureRoom: parts.ensureRoom,
    resolveClientApi: parts.delegation.resolveClientApi,
    delegation: parts.delegation,
    now: clock.monotonic,
  };
  const routes = createHomeserverRoutes({
    log,
    clock,
    pseudonym,
    ownServerName,
    checkHsToken: createHsTokenCheck(appService.hsToken),
    getToken: (body, userId, deadline) => getToken(body, userId, deadline, deps),
    federationGetToken: (body, origin, deadline) => {
      parts.limitServer?.(origin);
      return federationGetToken(body, origin, deadline, deps);
    },
    delegate: (body, userId, deadline) => delegateDelayedLeave(body, userId, deadline, deps),
    isDelegationPossible: parts.delegation.isPossible,
    limits: {
      clients: new WorkLimit(MAX_FOR_CLIENTS),
      servers: new WorkLimit(MAX_FOR_SERVERS),
    },
  });
  const membershipWatch = createMembershipWatch({
    ...parts,
    seal,
    membership: homeserver.membership,
    ownServerName,
    intervalMs: config.membershipCheckSeconds * 1000,
  });
  return { routes, seal, membershipWatch, check: homeserver.check, probe: homeserver.probe };
}
