/** I: homeserver mode, where it is configured. */

import type { Config } from "../../config/config.ts";
import { createClientApi } from "../../homeserver/client_api.ts";
import { createIsJoined } from "../../homeserver/is_joined.ts";
import { createOwnHomeserver } from "../../homeserver/own_homeserver.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import { liveKitRoom } from "../../signing/names.ts";
import { createVerifier } from "../../signing/hs256.ts";
import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import type { Exchange } from "../probe.ts";
import { callRoomService } from "../livekit/room_service.ts";
import { localServiceUrl } from "../webhook/local_service.ts";
import { judgePing, judgeUnauthenticated, judgeUserToken } from "./judge_proxying.ts";
import { judgeRegistration } from "./judge_registration.ts";

type AppService = NonNullable<Config["appService"]>;

const GET_TOKEN_PATH = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token";
const FILE = "LIVEKIT_AS_REGISTRATION_FILE";
/** The ID of a room whose first event has a hash of nothing but zeros: no homeserver knows one. */
const NO_ROOM = `!${"A".repeat(43)}`;
/** Of no call, so that nobody's is touched. */
const NO_SLOT = "doctor";
const TIMEOUT_MS = 5_000;

/** The checks; none where homeserver mode is not configured. */
export function homeserverModeChecks({ config: { appService } }: DoctorContext): Check<
  DoctorContext
>[] {
  if (appService === undefined) return [];
  const subject = appService.serverName;
  return [
    {
      id: "I1",
      title: "the registration works",
      subject,
      run: (context) => checkRegistration(context, appService),
    },
    {
      id: "I2",
      title: "the homeserver knows the paths",
      subject,
      run: (context) => checkUnauthenticated(context, appService),
    },
    {
      id: "I3",
      title: "a user gets a token",
      subject,
      run: (context) => checkUserToken(context, appService),
    },
    {
      id: "I4",
      title: "this service knows the homeserver",
      subject,
      run: (context) => checkPing(context, appService),
    },
  ];
}

async function checkRegistration(
  context: DoctorContext,
  { serverName, asToken }: AppService,
): Promise<Finding> {
  const { client, clock, isOwn, config, loaded } = context;
  const clientApi = createClientApi({
    client,
    clock,
    isOwn,
    overrides: config.csApiUrlOverrides,
  });
  const homeserver = createOwnHomeserver({ serverName, asToken, client, clientApi, clock });
  const ask = createIsJoined(homeserver);
  let refusal: UpstreamError | undefined;
  try {
    await ask(NO_ROOM, { serverName }, clock.monotonic() + TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    refusal = error;
  }
  const source = loaded.settings.find(({ name }) => name === FILE)?.source;
  return judgeRegistration({
    warnings: loaded.warnings.filter(({ variable }) => variable === FILE),
    hasFile: source !== undefined && source !== "default",
    ...refusal && { refusal },
  });
}

async function checkUnauthenticated(
  context: DoctorContext,
  { serverName }: AppService,
): Promise<Finding> {
  const { baseUrl } = await context.facts.clientApi(serverName);
  if (baseUrl === undefined) {
    return { verdict: "SKIP", evidence: "the client API is not found (E4)" };
  }
  return judgeUnauthenticated(await getToken(context, baseUrl, {}));
}

async function checkUserToken(
  context: DoctorContext,
  { serverName }: AppService,
): Promise<Finding> {
  const { facts, userToken, room, config: { liveKit } } = context;
  if (userToken === undefined || room === undefined) {
    const evidence = "needs a user's access token and a room (--user-token-file, --room)";
    return { verdict: "SKIP", evidence };
  }
  const owner = await facts.tokenOwner();
  if (owner?.userId === undefined) {
    return { verdict: "SKIP", evidence: `whose token it is is not known: ${owner?.why} (E6)` };
  }
  if (owner.serverName !== serverName) {
    return { verdict: "SKIP", evidence: `the token is of a user of ${owner.serverName}` };
  }
  const exchange = await getToken(
    context,
    owner.baseUrl,
    { authorization: `Bearer ${userToken.reveal()}` },
    { url: liveKit.url, room_id: room, slot_id: NO_SLOT, member_id: "doctor" },
  );
  await callRoomService(context, "DeleteRoom", "roomCreate", { room: liveKitRoom(room, NO_SLOT) });
  const jwt = exchange.answered && (exchange.json as { jwt?: unknown } | null | undefined)?.jwt;
  const claims = typeof jwt === "string" ? createVerifier(liveKit.secret)(jwt) : undefined;
  return judgeUserToken(exchange, claims);
}

async function checkPing(context: DoctorContext, { hsToken }: AppService): Promise<Finding> {
  const url = localServiceUrl(context.config.listen);
  if (url === undefined) {
    return { verdict: "SKIP", evidence: "no URL leads to where the service listens" };
  }
  const exchange = await context.probe(`${url}/_matrix/app/v1/ping`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${hsToken.reveal()}`,
      "content-type": "application/json",
    },
    body: "{}",
  });
  if (!exchange.answered && exchange.hop === "tcp") {
    return { verdict: "SKIP", evidence: `no service listens at ${url} on this machine` };
  }
  return judgePing(exchange);
}

function getToken(
  { probe }: DoctorContext,
  baseUrl: string,
  headers: Readonly<Record<string, string>>,
  body: Readonly<Record<string, unknown>> = {},
): Promise<Exchange> {
  return probe(baseUrl + GET_TOKEN_PATH, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    // A user's request passes through both, and creates the call's room.
    timeoutMs: TIMEOUT_MS * 2,
  });
}
