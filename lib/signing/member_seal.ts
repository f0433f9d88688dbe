/** Which Matrix user in which Matrix room a participant is, for nobody's eyes but this service's. */

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
