/** Which Matrix user in which Matrix room a participant is, for nobody's eyes but this service's. */

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { isRoomId } from "../matrix/room_id.ts";
import { serverNameOfUserId } from "../matrix/user_id.ts";
import type { Secret } from "../secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "./names.ts";

/** Whom a participant stands for. */
export interface CallMember {
  readonly userId: string;
  readonly roomId: string;
  /** How the user has come: through the homeserver, or with an OpenID token. */
  readonly way: "homeserver" | "openid";
}

/** The participant's attribute on the SFU that holds it. */
export const MEMBER_ATTRIBUTE = "io.matrixrtc-auth.member";

/** Seals and opens; both take some 20 µs. */
export interface MemberSeal {
  /** @returns Unpadded base64url, bound to the participant: in another place it does not open. */
  seal(member: CallMember, room: LiveKitRoom, identity: LiveKitIdentity): string;
  /** @returns `undefined` for anything that this service, or one with the same secret, did not seal. */
  open(text: string, room: string, identity: string): CallMember | undefined;
}

const VERSION = 1;
const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES;
/** What two IDs of 255 bytes take, each byte escaped: 1.4 KiB. */
const MAX_LENGTH = 2_048;
const LABEL = "matrixrtc-auth: whom a participant of a call stands for";
const WAYS: Readonly<Record<CallMember["way"], string>> = { homeserver: "h", openid: "o" };

/**
 * Makes the seal. What it makes can be kept where everybody sees it, and given
 * back by anybody: it tells nothing but its length, and opens for the very participant only.
 *
 * @example Another participant cannot pass it off as his own
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../secret.ts";
 * import { createMemberSeal } from "./member_seal.ts";
 * import { hashedIdentity, liveKitRoom } from "./names.ts";
 *
 * const { seal, open } = createMemberSeal([new Secret("the SFU's API secret")]);
 * const alice = { userId: "@alice:example.org", roomId: "!room", way: "homeserver" } as const;
 * const room = liveKitRoom("!room", "m.call#ROOM");
 * const identity = hashedIdentity("@alice:example.org", "member");
 * const text = seal(alice, room, identity);
 * assertEquals(open(text, room, identity), alice);
 * assertEquals(open(text, room, "mallory"), undefined);
 * ```
 *
 * @param secrets Secrets of the SFU's API, at least one. The first one seals, any of them opens:
 * participants stay known while the secret is changed.
 */
export function createMemberSeal(secrets: readonly Secret[]): MemberSeal {
  const masters = secrets.map(masterKeyOf);
  const [first] = masters;
  if (first === undefined) throw new RangeError("Cannot make a seal without a secret");

  return {
    seal({ way, userId, roomId }, room, identity) {
      const place = placeOf(room, identity);
      const head = Buffer.concat([Buffer.of(VERSION), randomBytes(NONCE_BYTES)]);
      const cipher = createCipheriv(ALGORITHM, keyOf(first, place), head.subarray(1));
      cipher.setAAD(place);
      const text = JSON.stringify([WAYS[way], userId, roomId]);
      return Buffer.concat([head, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()])
        .toString("base64url");
    },
    open(text, room, identity) {
      // Participants may be let change their attributes, so this is anything.
      if (text.length > MAX_LENGTH) return undefined;
      const sealed = Buffer.from(text, "base64url");
      if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== VERSION) return undefined;
      // The decoder passes over what is no base64; one member in one place has one way to be written.
      if (sealed.toString("base64url") !== text) return undefined;
      const place = placeOf(room, identity);
      for (const master of masters) {
        const opened = decrypt(sealed, keyOf(master, place), place);
        if (opened !== undefined) return parseMember(opened);
      }
      return undefined;
    },
  };
}

// The secret signs tokens too; a key of its own keeps the two uses from touching.
function masterKeyOf(secret: Secret): Buffer {
  return Buffer.from(hkdfSync("sha256", secret.reveal(), "", LABEL, KEY_BYTES));
}

/**
 * HKDF's second half with the place as its label. Random nonces of one key are
 * safe for 2^32 texts; with a key for each participant nobody needs to count them.
 */
function keyOf(master: Buffer, place: Buffer): Buffer {
  return createHmac("sha256", master).update(place).update(Buffer.of(1)).digest();
}

// JSON keeps the two apart, whatever is in them.
function placeOf(room: string, identity: string): Buffer {
  return Buffer.from(JSON.stringify([VERSION, room, identity]));
}

function decrypt(sealed: Buffer, key: Buffer, place: Buffer): string | undefined {
  try {
    const nonce = sealed.subarray(1, HEAD_BYTES);
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(place);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const text = decipher.update(sealed.subarray(HEAD_BYTES, -TAG_BYTES), undefined, "utf8");
    return text + decipher.final("utf8");
  } catch {
    return undefined;
  }
}

// A later version may say more, and an SFU's secret may have been used elsewhere.
function parseMember(text: string): CallMember | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [letter, userId, roomId] = parts as unknown[];
  const way = (["homeserver", "openid"] as const).find((way) => WAYS[way] === letter);
  if (way === undefined || typeof userId !== "string" || typeof roomId !== "string") {
    return undefined;
  }
  return serverNameOfUserId(userId) !== undefined && isRoomId(roomId)
    ? { userId, roomId, way }
    : undefined;
}
