/** The token with which a client joins a room of the SFU. */

import type { Clock } from "../clock.ts";
import { isRoomId } from "../matrix/room_id.ts";
import type { Signer } from "./hs256.ts";
import { type CallMember, MEMBER_ATTRIBUTE, type MemberSeal } from "./member_seal.ts";
import type { LiveKitIdentity, LiveKitRoom } from "./names.ts";

/** Whom a token lets in where. */
export interface JoinTokenParams {
  readonly room: LiveKitRoom;
  readonly identity: LiveKitIdentity;
  readonly canPublish: boolean;
  /** Whom the participant stands for. */
  readonly member?: CallMember;
}

/** Issues join tokens; see {@linkcode createJoinTokenIssuer}. */
export type JoinTokenIssuer = (params: JoinTokenParams) => string;

/**
 * In homeserver mode tokens live no longer, since one that is out cannot be taken
 * back: ten minutes, for a client to connect. LiveKit gives those who are
 * connected new ones every five minutes.
 */
export const MAX_SHORT_TTL_SECONDS = 600;

/** What issuing needs. */
export interface JoinTokenOptions {
  /** The API key whose secret `sign` uses; it becomes `iss`. */
  readonly apiKey: string;
  readonly sign: Signer;
  /** Lifetime of a token, in seconds. */
  readonly ttlSeconds: number;
  /** Whether participants may change their own LiveKit metadata; bots want to. */
  readonly canUpdateOwnMetadata: boolean;
  /** Present where participants are to be known again; their tokens then have them in an attribute. */
  readonly seal?: Pick<MemberSeal, "seal">;
  readonly clock: Clock;
}

/**
 * Makes the function that issues join tokens with the grants of MSC4195.
 *
 * Every grant is written out: to LiveKit an absent `canPublish` means yes.
 * `roomCreate` is never granted, as it would also let its holder delete rooms.
 */
export function createJoinTokenIssuer(options: JoinTokenOptions): JoinTokenIssuer {
  const attributesOf = ({ member, room, identity }: JoinTokenParams) => {
    // Clients may ask for a room by any text; of what is no room ID no homeserver knows anything.
    if (options.seal === undefined || member === undefined || !isRoomId(member.roomId)) return {};
    return { attributes: { [MEMBER_ATTRIBUTE]: options.seal.seal(member, room, identity) } };
  };
  return (params) => {
    const { room, identity, canPublish } = params;
    const now = Math.floor(options.clock.now() / 1000);
    return options.sign({
      iss: options.apiKey,
      sub: identity,
      iat: now,
      nbf: now,
      exp: now + options.ttlSeconds,
      video: {
        roomJoin: true,
        room,
        roomCreate: false,
        canPublish,
        canSubscribe: true,
        canUpdateOwnMetadata: options.canUpdateOwnMetadata,
        hidden: false,
      },
      ...attributesOf(params),
    });
  };
}
