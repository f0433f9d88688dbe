/** Puts the parts together: from a configuration to the function that answers requests. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { ownServers } from "./config/own_servers.ts";
import { withDeadline } from "./deadline.ts";
import { composeDelegation } from "./delayed_leave/compose.ts";
import type { LeaveWatcher } from "./delayed_leave/leave_watcher.ts";
import type { JobStore } from "./delayed_leave/store.ts";
import { createReadyChecks } from "./diagnosis/ready/checks.ts";
import { watchStore } from "./diagnosis/ready/store.ts";
import { createClientApi } from "./homeserver/client_api.ts";
import { composeHomeserverMode } from "./homeserver_mode.ts";
import { createClientOf } from "./http/client_address.ts";
import { createClientCosts } from "./http/client_costs.ts";
import { createDelegateEndpoint } from "./http/delegate_endpoint.ts";
import { createHandler, type Handler } from "./http/handler.ts";
import { createReadiness, createReadinessEndpoint } from "./http/readiness.ts";
import { createRequestIds } from "./http/request_ids.ts";
import { createStartPage } from "./http/start_page.ts";
import { createTokenEndpoint } from "./http/token_endpoint.ts";
import { createWebhookEndpoint } from "./http/webhook_endpoint.ts";
import { WorkLimit } from "./http/work_limit.ts";
import { hasFullAccess, isAdmitted } from "./matrix/server_lists.ts";
import { parseGetTokenRequest, parseSfuGetRequest } from "./matrix/wire.ts";
import type { HttpClient } from "./net/http_client.ts";
import { targetOfUrl } from "./net/target.ts";
import { createPseudonym } from "./observability/pseudonym.ts";
import { watchedBy, type Watcher } from "./observability/steps.ts";
import { lastSegment, watchedClient } from "./observability/watched_client.ts";
import { composeRateLimits } from "./rate_limit/compose.ts";
import type { SharedCounts } from "./rate_limit/shared_counts.ts";
import { createParticipants } from "./sfu/participants.ts";
import { createRemoveParticipant } from "./sfu/remove_participant.ts";
import { createRooms } from "./sfu/rooms.ts";
import { createTwirp, SfuError } from "./sfu/twirp.ts";
import { createWebhookReader } from "./sfu/webhook.ts";
import { WebhookSightings } from "./sfu/webhook_sightings.ts";
import { createSigner } from "./signing/hs256.ts";
import { createJoinTokenIssuer } from "./signing/join_token.ts";
import type { LiveKitRoom } from "./signing/names.ts";
import { createServiceTokens } from "./signing/service_token.ts";
import { delegateDelayedLeave } from "./usecases/delegate_delayed_leave.ts";
import type { TokenExchangeDeps } from "./usecases/exchange_token.ts";
import { getToken } from "./usecases/get_token.ts";
import { legacySfuGet } from "./usecases/legacy_sfu_get.ts";
import type { Access } from "./usecases/identify_user.ts";
import { receiveWebhook } from "./usecases/receive_webhook.ts";
import { createOpenIdVerifier } from "./verification/openid.ts";
import { createServerResolver } from "./verification/resolve_server.ts";
import { ServerGates } from "./verification/server_gate.ts";
import type { SrvLookup } from "./verification/srv.ts";
import { UnreachableServers } from "./verification/unreachable_servers.ts";
import { VERSION } from "./version.ts";

/** A service that is put together. */
export interface Service {
  readonly handle: Handler;
  /**
   * Takes up what an earlier process has left behind. To be done before the first request.
   *
   * @throws {StoreError} When the store of jobs cannot be used.
   */
  start(): Promise<void>;
  /** Keeps what is to go on with the next start. Nothing is handled any more then. */
  close(timeoutMs: number): Promise<void>;
}

/** The world outside, as the service reaches it. */
export interface Effects {
  readonly clock: Clock;
  /** Whoever makes it closes it. */
  readonly client: HttpClient;
  readonly lookupSrv: SrvLookup;
  readonly store: JobStore;
  /** What replicas count together; absent: each counts for itself. The service closes it. */
  readonly sharedCounts?: SharedCounts;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Those who count and trace what the service does; absent where nobody does. */
  readonly watchers?: readonly Watcher[];
  /** Whoever counts delayed leaves; absent where nobody does. */
  readonly leaveWatcher?: LeaveWatcher;
  /** How many warnings there were about the configuration. */
  readonly configWarnings?: number;
}

const REMOTE_MAX_IN_FLIGHT = 64;
const OWN_MAX_IN_FLIGHT = 256;
/** Token requests whose body is on its way or done; each body has 64 KiB at most. */
const MAX_RECEIVING = 4_096;
/** Token requests that wait for other servers. */
const MAX_IN_WORK = 1_024;
/** No single server may hold more than half of all requests in work. */
const MAX_IN_WORK_PER_SERVER = MAX_IN_WORK / 2;
/** Only of those that LiveKit has signed the body is read at all. */
const MAX_WEBHOOKS_IN_WORK = 1_024;
const SFU_CONNECTIONS = 64;
/** Calls by the names that metrics and traces give them: the last segments of their paths. */
const SFU_METHODS = [
  "CreateRoom",
  "GetParticipant",
  "ListParticipants",
  "ListRooms",
  "RemoveParticipant",
];
const HOMESERVER_CALLS = ["restart", "send", "is_joined", "fed_proxy"];

const ENDPOINTS = {
  "/get_token": "POST: OpenID token in, LiveKit token out",
  "/sfu/get": "POST: the same for older clients",
  "/delegate_delayed_leave": "POST: takes over a delayed leave event",
  "/sfu_webhook": "POST: events from LiveKit",
  "/healthz": "GET: whether this process is alive",
  "/readyz": "GET: whether what it depends on works",
};

const CLIENT_PATH = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit";
const FEDERATION_PATH = "/_matrix/federation/unstable/io.element.msc4195/rtc/livekit";
const HOMESERVER_MODE_ENDPOINTS = {
  [`${CLIENT_PATH}/get_token`]: "POST, from the homeserver: a client's request for a token",
  [`${CLIENT_PATH}/delegate_delayed_leave`]: "POST, from the homeserver: a client's leave event",
  [`${FEDERATION_PATH}/get_token`]: "POST, from the homeserver: another server's request",
};

/** Makes the service. Nothing is connected to before it is started. */
export function createService(config: Config, log: Logger, effects: Effects): Service {
  const { clock } = effects;
  const now = clock.monotonic;
  const runStep = watchedBy(effects.watchers ?? []);
  const client = watchedClient(effects.client, runStep, lastSegment(["userinfo"], "well_known"));
  const sfuClient = watchedClient(effects.client, runStep, lastSegment(SFU_METHODS, "sfu"));
  const homeserverClient = watchedClient(
    effects.client,
    runStep,
    lastSegment(HOMESERVER_CALLS, "delayed_event"),
  );
  const { liveKit } = config;
  /** While keys are rotated there are two; the first one signs. */
  const keyPairs = liveKit.previous === undefined ? [liveKit] : [liveKit, liveKit.previous];

  const isOwn = ownServers(config);
  const maxInFlight = (serverName: string) =>
    isOwn(serverName) ? OWN_MAX_IN_FLIGHT : REMOTE_MAX_IN_FLIGHT;

  const resolver = createServerResolver({
    client,
    clock,
    isOwn,
    lookupSrv: effects.lookupSrv,
    overrides: config.federationUrlOverrides,
    maxConnections: maxInFlight,
    random: effects.random,
  });
  const verify = createOpenIdVerifier({
    client,
    resolver,
    clock,
    isOwn,
    gates: new ServerGates(clock),
    limits: (name) => ({ maxInFlight: maxInFlight(name), maxInWork: MAX_IN_WORK_PER_SERVER }),
    unreachable: new UnreachableServers(clock),
    isAdmitted: (serverName) => isAdmitted(serverName, config.homeservers),
  });

  const sign = createSigner(liveKit.secret);
  const serviceToken = createServiceTokens({ apiKey: liveKit.key, sign, clock });
  const twirp = createTwirp({
    client: sfuClient,
    ...targetOfUrl(liveKit.apiUrl, SFU_CONNECTIONS),
    serviceToken,
  });
  const rooms = createRooms(twirp, clock);
  const clientApi = createClientApi({
    client,
    clock,
    isOwn,
    overrides: config.csApiUrlOverrides,
  });
  const participants = createParticipants(twirp);
  const { store, isWorking: isStoreWorking } = watchStore(effects.store);
  const delegation = composeDelegation(config, log, {
    ...effects,
    store,
    client: homeserverClient,
    clientApi,
    participants,
    ensureRoom: (room) => {
      rooms.forget(room);
      return rooms.ensure(room);
    },
  });

  const common = { log, clock, pseudonym: createPseudonym(config.log.identifiers) };
  const ensureRoom = (room: LiveKitRoom, timeoutMs: number) =>
    withDeadline(
      rooms.ensure(room),
      timeoutMs,
      clock,
      () => new SfuError("http", "CreateRoom did not end within the request's time"),
    );
  const delegating = {
    ...delegation,
    isOpenTo: (access: Access) => access === "full" || config.delegation.delegateFor === "all",
  };
  const limits = composeRateLimits(config.rateLimit, { ...effects, ...common, isOwn });
  const homeserverMode = config.appService && composeHomeserverMode(config.appService, config, {
    ...effects,
    ...common,
    ...(limits.server && { limitServer: limits.server }),
    client: homeserverClient,
    clientApi,
    sign,
    secrets: keyPairs.map(({ secret }) => secret),
    participants,
    removeParticipant: createRemoveParticipant(twirp),
    ensureRoom,
    delegation: delegating,
    fallsToThis: (task) => store.fallsToThis(task),
  });

  const deps: TokenExchangeDeps = {
    sfuUrl: liveKit.url,
    async verify(token, timeoutMs) {
      limits.server?.(token.serverName);
      return await verify(token, timeoutMs);
    },
    hasFullAccess: (serverName) => hasFullAccess(serverName, config.fullAccess),
    issueJoinToken: createJoinTokenIssuer({
      apiKey: liveKit.key,
      sign,
      ttlSeconds: config.tokenTtlSeconds,
      canUpdateOwnMetadata: config.canUpdateOwnMetadata,
      ...(homeserverMode && { seal: homeserverMode.seal }),
      clock,
    }),
    ensureRoom,
    delegation: delegating,
    now,
  };

  const sightings = new WebhookSightings(clock);
  const look = createReadiness({
    log,
    clock,
    checks: createReadyChecks({
      sfu: { client: sfuClient, clock, apiUrl: liveKit.apiUrl, serviceToken },
      ...(homeserverMode && { askHomeserver: homeserverMode.probe }),
      ...(config.delegation.mode !== "off" && { isStoreWorking }),
      webhookState: () => sightings.state(),
      configWarnings: effects.configWarnings ?? 0,
    }),
  });

  // Who sends a body slowly, or none, must not take the places of those who have sent theirs.
  const receiving = new WorkLimit(MAX_RECEIVING);
  const inWork = new WorkLimit(MAX_IN_WORK);
  const handle = createHandler({
    log,
    nextRequestId: createRequestIds(effects.random),
    runStep,
    ...(limits.client && {
      clients: {
        clientOf: createClientOf(config.trustedProxies),
        atCostOf: createClientCosts({ limit: limits.client, isOwn }),
      },
    }),
    routes: {
      "/get_token": {
        limit: receiving,
        POST: createTokenEndpoint({
          ...common,
          parse: parseGetTokenRequest,
          exchange: (body, deadline) => inWork.run(() => getToken(body, deadline, deps)),
        }),
      },
      "/sfu/get": {
        limit: receiving,
        POST: createTokenEndpoint({
          ...common,
          parse: parseSfuGetRequest,
          exchange: (body, deadline) => inWork.run(() => legacySfuGet(body, deadline, deps)),
        }),
      },
      "/delegate_delayed_leave": {
        limit: receiving,
        POST: createDelegateEndpoint({
          ...common,
          isPossible: delegation.isPossible,
          delegate: (body, deadline) =>
            inWork.run(() => delegateDelayedLeave(body, deadline, deps)),
        }),
      },
      "/sfu_webhook": {
        // At the end of a large call thousands come at once, from one address.
        costs: "refusals",
        limit: new WorkLimit(MAX_WEBHOOKS_IN_WORK),
        POST: createWebhookEndpoint({
          clock,
          sightings,
          read: createWebhookReader(
            keyPairs,
            clock,
          ),
          receive: (event) =>
            receiveWebhook(event, {
              forgetRoom: rooms.forget,
              delayedLeaves: delegation,
              ...(homeserverMode && { membership: homeserverMode.membershipWatch }),
            }),
        }),
      },
      "/healthz": { costs: "nothing", GET: () => ({ status: 200 }) },
      "/readyz": { costs: "nothing", GET: createReadinessEndpoint(look) },
      "/": {
        GET: createStartPage({
          version: VERSION,
          look,
          clock,
          endpoints: { ...ENDPOINTS, ...(homeserverMode && HOMESERVER_MODE_ENDPOINTS) },
        }),
      },
      ...homeserverMode?.routes,
    },
  });
  return {
    handle,
    async start() {
      await delegation.start();
      homeserverMode?.membershipWatch.start();
      void homeserverMode?.check();
    },
    async close(timeoutMs) {
      homeserverMode?.membershipWatch.stop();
      limits.close();
      await delegation.close(timeoutMs);
    },
  };
}
