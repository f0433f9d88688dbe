import { type CallMember, MEMBER_ATTRIBUTE, type MemberSeal } from "../signing/member_seal.ts";

/** Someone in a room of the SFU. */
export interface CallParticipant {
  readonly room: string;
  readonly identity: string;
  /** What the join token or the participant has attached. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * Tells whom a participant stands for.
 *
 * @returns `undefined` for those whose token this service has not made, or not in homeserver mode,
 * and for anybody with an attribute that is not his.
 */
export function memberOf(
  { room, identity, attributes }: CallParticipant,
  seal: Pick<MemberSeal, "open">,
): CallMember | undefined {
  const text = attributes?.[MEMBER_ATTRIBUTE];
  return text === undefined ? undefined : seal.open(text, room, identity);
}
