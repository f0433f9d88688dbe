/**
 * Request bodies as clients of several generations send them. The names of the
 * wire stay in this file.
 *
 * Unknown fields are ignored, `null` counts as absent. A wrong JSON type is
 * `M_NOT_JSON`, as it is to a strict decoder; a missing or empty value is
 * `M_BAD_JSON`, on which old clients try again without the delay fields.
 */

import { Secret } from "../secret.ts";
import { isDelayId } from "./delay_id.ts";
import { InvalidRequestError } from "./errors.ts";
import {
  describeMissing,
  type Fields,
  namesOfEmpty,
  readInteger,
  readObject,
  readString,
  refuseIf,
} from "./fields.ts";

/** What a homeserver's OpenID endpoint gave to the client. */
export interface OpenIdToken {
  readonly accessToken: Secret;
  /** As the client sent it: a server name once it has been parsed. */
  readonly serverName: string;
}

/** A delayed leave event that the client wants to hand over. */
export interface DelayedLeave {
  /** One segment of a path once it is percent-encoded; at most 255 bytes. */
  readonly delayId: Secret;
  /** Milliseconds, 1 to 86 400 000: a longer delay counts as a day. */
  readonly delayTimeoutMs: number;
}

/** The body of `POST /sfu/get`. */
export interface SfuGetRequest {
  readonly roomId: string;
  /** May be empty. */
  readonly deviceId: string;
  readonly openIdToken: OpenIdToken;
  readonly delayedLeave: DelayedLeave | undefined;
}

/** The body of `POST /get_token`. */
export interface GetTokenRequest {
  readonly roomId: string;
  readonly slotId: string;
  readonly memberId: string;
  readonly claimedUserId: string;
  readonly claimedDeviceId: string;
  readonly openIdToken: OpenIdToken;
  readonly delayedLeave: DelayedLeave | undefined;
}

/** The body of `POST /delegate_delayed_leave`. */
export interface DelegateRequest extends GetTokenRequest {
  readonly delayedLeave: DelayedLeave;
}

const MAX_DELAY_MS = 86_400_000;

/**
 * Reads the body of `POST /sfu/get`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseSfuGetRequest(body: unknown): SfuGetRequest {
  const fields = readObject(body);
  const roomId = readString(fields, "room");
  const deviceId = readString(fields, "device_id");
  const openId = readOpenIdToken(fields);
  const delay = readDelay(fields);

  const faults: string[] = [];
  if (roomId === "") faults.push("Missing room parameter");
  if (openId.missing.length > 0) {
    faults.push(`Missing OpenID token parameters: ${openId.missing.join(", ")}`);
  }
  faults.push(...delay.faults);
  refuseIf(faults);
  return { roomId, deviceId, openIdToken: openId.token, delayedLeave: delay.leave };
}

/**
 * Reads the body of `POST /get_token`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseGetTokenRequest(body: unknown): GetTokenRequest {
  const fields = readObject(body);
  const member = readMember(fields);
  const delay = readDelay(fields);
  refuseIf([...describeMissing(member.missing), ...delay.faults]);
  return { ...member.request, delayedLeave: delay.leave };
}

/**
 * Reads the body of `POST /delegate_delayed_leave`.
 *
 * @param body Parsed JSON of any kind.
 * @throws {InvalidRequestError} `M_NOT_JSON` or `M_BAD_JSON`, naming all that is missing.
 */
export function parseDelegateRequest(body: unknown): DelegateRequest {
  const fields = readObject(body);
  const member = readMember(fields);
  const { leave, faults } = readDelay(fields);
  if (leave !== undefined && member.missing.length === 0) {
    return { ...member.request, delayedLeave: leave };
  }
  const missing = leave === undefined && faults.length === 0
    ? [...member.missing, "delay_id", "delay_timeout"]
    : member.missing;
  throw new InvalidRequestError("M_BAD_JSON", [...describeMissing(missing), ...faults].join("; "));
}

function readMember(fields: Fields) {
  const roomId = readString(fields, "room_id");
  const slotId = readString(fields, "slot_id");
  const member = readObject(fields.member ?? {});
  const memberId = readString(member, "id");
  const claimedUserId = readString(member, "claimed_user_id");
  const claimedDeviceId = readString(member, "claimed_device_id");
  const openId = readOpenIdToken(fields);

  const required = {
    "room_id": roomId,
    "slot_id": slotId,
    "member.id": memberId,
    "member.claimed_user_id": claimedUserId,
    "member.claimed_device_id": claimedDeviceId,
  };
  const missing = namesOfEmpty(required)
    .concat(openId.missing.map((name) => `openid_token.${name}`));
  const request = {
    roomId,
    slotId,
    memberId,
    claimedUserId,
    claimedDeviceId,
    openIdToken: openId.token,
  };
  return { request, missing };
}

function readOpenIdToken(fields: Fields): { token: OpenIdToken; missing: string[] } {
  const token = readObject(fields.openid_token ?? {});
  const accessToken = readString(token, "access_token");
  const serverName = readString(token, "matrix_server_name");
  // Not used, yet a wrong type says that this is not what a homeserver gave.
  readString(token, "token_type");
  readInteger(token, "expires_in");
  const missing = [];
  if (accessToken === "") missing.push("access_token");
  if (serverName === "") missing.push("matrix_server_name");
  return { token: { accessToken: new Secret(accessToken), serverName }, missing };
}

function readDelay(fields: Fields): { leave: DelayedLeave | undefined; faults: string[] } {
  const delayId = readString(fields, "delay_id");
  const delayTimeoutMs = readInteger(fields, "delay_timeout");
  // The address that the client names here is never used: it could be anybody's (SSRF).
  readString(fields, "delay_cs_api_url");
  if (delayId === "" && delayTimeoutMs <= 0) return { leave: undefined, faults: [] };
  if (delayId === "" || delayTimeoutMs <= 0) {
    return { leave: undefined, faults: ["delay_id and delay_timeout must be given together"] };
  }
  if (!isDelayId(delayId)) {
    return { leave: undefined, faults: ["delay_id is no ID of a delayed event"] };
  }
  return {
    leave: {
      delayId: new Secret(delayId),
      delayTimeoutMs: Math.min(delayTimeoutMs, MAX_DELAY_MS),
    },
    faults: [],
  };
}
