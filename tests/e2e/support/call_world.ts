import { assertEquals } from "@std/assert";
import { type Caller, startCaller } from "./caller.ts";
import { hashNames } from "./derived_names.ts";
import { type Call, getTokenBody, LEGACY_SLOT, post, sfuGetBody } from "./exchange.ts";
import { type DelayedEventCall, type HomeserverTap, startHomeserverTap } from "./homeserver_tap.ts";
import { startLoggedService } from "./logged_service.ts";
import type { MatrixUser } from "./matrix_client.ts";
import { announce, createCallRoom, enterRoom, type Membership } from "./membership.ts";
import type { JoinDetails } from "./participant.ts";
import type { Synapse } from "./synapse.ts";
import { startWebhookHub, type WebhookHub } from "./webhook_hub.ts";
import { startWorld, type World } from "./world.ts";

/** Real servers around services that take over delayed leaves. */
export interface CallWorld extends World {
  /** Where the SFU sends its webhooks. */
  readonly hub: WebhookHub;
  /** Between services and the near homeserver. */
  readonly tap: HomeserverTap;
  /** The same for the far one. */
  readonly farTap: HomeserverTap;
  /** Starts a browser that ends with the world at the latest. */
  startCaller(): Promise<Caller>;
}

/** Starts the servers of {@linkcode startWorld} with a webhook hub and taps between them. */
export async function startCallWorld(): Promise<CallWorld> {
  await using parts = new AsyncDisposableStack();
  const hub = parts.use(startWebhookHub());
  const world = parts.use(await startWorld({ webhookUrls: [hub.url] }));
  const tap = parts.use(startHomeserverTap(world.near, world.ca.pem));
  const farTap = parts.use(startHomeserverTap(world.far, world.ca.pem));
  const callers = parts.use(new AsyncDisposableStack());
  const all = parts.move();
  const overrides = { LIVEKIT_CS_API_URL_OVERRIDES: `${tap.override},${farTap.override}` };
  return {
    ...world,
    hub,
    tap,
    farTap,
    startCaller: async () => callers.use(await startCaller()),
    serviceEnv: (more) => world.serviceEnv({ ...overrides, ...more }),
    startService: (more) => startLoggedService(world.serviceEnv({ ...overrides, ...more })),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A user who has said to be in a call, and has scheduled the leave. */
export interface CallUser {
  readonly homeserver: Synapse;
  readonly user: MatrixUser;
  readonly call: Call;
  /** The call's name on the SFU. */
  readonly liveKitRoom: string;
  readonly membership: Membership;
}

/** Registers a user who announces to be in a call. */
export async function announceUser(
  homeserver: Synapse,
  name: string,
  options: {
    /** Somebody whose call it is; a new one unless told. Both have the same homeserver. */
    with?: CallUser;
    /** When the homeserver sends the leave by itself; an hour unless told. */
    delayMs?: number;
  } = {},
): Promise<CallUser> {
  const { client } = homeserver;
  const user = await client.register(name);
  const roomId = options.with?.call.roomId ?? await createCallRoom(client, user);
  if (options.with !== undefined) await enterRoom(client, user, roomId);
  const membership = await announce(client, user, roomId, options.delayMs);
  const call = { roomId, slotId: LEGACY_SLOT };
  return { homeserver, user, call, liveKitRoom: hashNames(roomId, LEGACY_SLOT), membership };
}

/** What today's clients say, an hour. */
const DELAY_TIMEOUT_MS = 3_600_000;

/** How a client hands its leave over. */
export type Entrance = "/get_token" | "/sfu/get" | "/delegate_delayed_leave";

/**
 * Asks the service to take the leave over.
 *
 * @param delayTimeoutMs What the client says the delay is.
 * @returns What to join with; nothing from `/delegate_delayed_leave`.
 * @throws {Error} When the service does not answer 200.
 */
export async function delegate(
  serviceUrl: string,
  { homeserver, user, call, membership }: CallUser,
  entrance: Entrance = "/get_token",
  delayTimeoutMs: number = DELAY_TIMEOUT_MS,
): Promise<JoinDetails> {
  const token = await homeserver.client.requestOpenIdToken(user);
  const makeBody = entrance === "/sfu/get" ? sfuGetBody : getTokenBody;
  const { status, body } = await post(serviceUrl, entrance, {
    ...makeBody(user, token, call),
    delay_id: membership.delayId,
    delay_timeout: delayTimeoutMs,
  });
  if (status !== 200) throw new Error(`POST ${entrance}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** A user's browser in the call, with the leave handed over. */
export interface DelegatedCaller extends CallUser {
  readonly caller: Caller;
  readonly details: JoinDetails;
}

/**
 * Announces a user, hands the leave over and joins the call.
 *
 * @param service Where the clients find it and, if need be, where the SFU finds it.
 */
export async function joinDelegated(
  world: CallWorld,
  service: { readonly url: string },
  name: string,
  options: Parameters<typeof announceUser>[2] & {
    caller?: Caller;
    homeserver?: Synapse;
    entrance?: Entrance;
  } = {},
): Promise<DelegatedCaller> {
  const user = await announceUser(options.homeserver ?? world.near, name, options);
  world.hub.route(user.liveKitRoom, service.url);
  const details = await delegate(service.url, user, options.entrance, options.delayMs);
  const caller = options.caller ?? await world.startCaller();
  await caller.join(details);
  return { ...user, caller, details };
}

/**
 * The service has sent the leave, and only once.
 *
 * @param notCounting A status that says that the homeserver has not done it.
 * @returns The call.
 * @throws {Error} When it has not, or has done more.
 */
export async function assertSentOnce(
  tap: HomeserverTap,
  { delayId }: Membership,
  notCounting?: number,
): Promise<DelayedEventCall> {
  // Other clients see the leave before the service has its answer.
  await tap.waitFor(delayId, "send");
  const calls = tap.calls(delayId, "send").filter(({ status }) => status !== notCounting);
  assertEquals(calls.map(({ status }) => status), [200]);
  return calls[0]!;
}
