/** Questions to LiveKit as this service asks them, with tokens of our key. */

import { createSigner } from "../../signing/hs256.ts";
import { createJoinTokenIssuer } from "../../signing/join_token.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
import { createServiceTokens, type ServiceGrant } from "../../signing/service_token.ts";
import type { DoctorContext } from "../context.ts";
import type { Exchange } from "../probe.ts";

/** Whose calls the checks make. */
const IDENTITY = "doctor" as LiveKitIdentity;
const JOIN_TTL_SECONDS = 60;

/** Calls RoomService; the answer is the judges' to understand. */
export function callRoomService(
  { config: { liveKit }, clock, probe }: DoctorContext,
  method: string,
  grant: ServiceGrant,
  body: Readonly<Record<string, unknown>>,
): Promise<Exchange> {
  const sign = createSigner(liveKit.secret);
  const token = createServiceTokens({ apiKey: liveKit.key, sign, clock })(grant);
  return probe(`${liveKit.apiUrl}/twirp/livekit.RoomService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
}

/** A token that lets its holder join a room, hear and say nothing; good for a minute. */
export function joinTokenFor({ config: { liveKit }, clock }: DoctorContext, room: string): string {
  const issue = createJoinTokenIssuer({
    apiKey: liveKit.key,
    sign: createSigner(liveKit.secret),
    ttlSeconds: JOIN_TTL_SECONDS,
    canUpdateOwnMetadata: false,
    clock,
  });
  return issue({ room: room as LiveKitRoom, identity: IDENTITY, canPublish: false });
}

/** A name that no call has: `doctor-`, and twelve letters by chance. */
export function doctorRoomName(random: () => number): string {
  const letters = Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36));
  return `doctor-${letters.join("")}`;
}
