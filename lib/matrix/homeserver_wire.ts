/**
 * Request bodies of MSC4195 as a homeserver passes them on. The names of the
 * wire stay in this file.
 *
 * The newest text has `member_id`; the one before had an object `member` in its
 * place, and no `url`: there each server has one SFU.
 */

import { Secret } from "../secret.ts";
import {
  describeMissing,
  type Fields,
  namesOfEmpty,
  readObject,
  readString,
  refuseIf,
} from "./fields.ts";

/** The part of a room's call that is asked for, and by which member. */
export interface CallRequest {
  /** The SFU, letter by letter as its server announces it; absent in the older form only. */
  readonly url: string | undefined;
  readonly roomId: string;
  readonly slotId: string;
  readonly memberId: string;
}

/** The body of a client's `get_token`. */
export interface HomeserverTokenRequest extends CallRequest {
  /** Whose SFU it is; absent: the client's own server's. Any text. */
  readonly serverName: string | undefined;
  /** Of the older form; it has no meaning here, and is passed on. */
  readonly claimedDeviceId: string | undefined;
}

/** The body of another server's `get_token`. */
export interface FederationTokenRequest extends CallRequest {
  /** Any text. */
  readonly userId: string;
}

/** The body of a client's `delegate_delayed_leave`. */
export interface HomeserverDelegateRequest extends CallRequest {
  /** Any text. */
  readonly delayId: Secret;
}

/**
 * Reads the body of a client's `get_token`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseHomeserverTokenRequest(body: unknown): HomeserverTokenRequest {
  const fields = readObject(body);
  const { call, missing, claimedDeviceId } = readCall(fields);
  const serverName = readString(fields, "server_name");
  refuseIf(describeMissing(missing));
  return { ...call, serverName: orAbsent(serverName), claimedDeviceId };
}

/**
 * Reads the body of another server's `get_token`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseFederationTokenRequest(body: unknown): FederationTokenRequest {
  const fields = readObject(body);
  const { call, missing } = readCall(fields);
  const userId = readString(fields, "user_id");
  refuseIf(describeMissing([...missing, ...namesOfEmpty({ user_id: userId })]));
  return { ...call, userId };
}

/**
 * Reads the body of a client's `delegate_delayed_leave`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseHomeserverDelegateRequest(body: unknown): HomeserverDelegateRequest {
  const fields = readObject(body);
  const { call, missing } = readCall(fields);
  const delayId = readString(fields, "delay_id");
  refuseIf(describeMissing([...missing, ...namesOfEmpty({ delay_id: delayId })]));
  return { ...call, delayId: new Secret(delayId) };
}

function readCall(fields: Fields) {
  const url = readString(fields, "url");
  const member = readObject(fields.member ?? {});
  const olderId = readString(member, "id");
  const claimedDeviceId = orAbsent(readString(member, "claimed_device_id"));
  const newerId = readString(fields, "member_id");
  const isOlder = newerId === "" && olderId !== "";
  const call: CallRequest = {
    url: orAbsent(url),
    roomId: readString(fields, "room_id"),
    slotId: readString(fields, "slot_id"),
    memberId: isOlder ? olderId : newerId,
  };
  const missing = namesOfEmpty({
    ...(isOlder ? {} : { url }),
    room_id: call.roomId,
    slot_id: call.slotId,
    member_id: call.memberId,
  });
  return { call, missing, ...(isOlder ? { claimedDeviceId } : { claimedDeviceId: undefined }) };
}

function orAbsent(text: string): string | undefined {
  return text === "" ? undefined : text;
}
