/** Whether users and servers are joined in Matrix rooms, as the own homeserver sees it. */

/** Who may be in a room: one user, or any user of a server. */
export type Member =
  | { readonly userId: string }
  | { readonly serverName: string };

/** Answers for rooms that the own homeserver is in; of all others it knows nothing. */
export interface RoomMembership {
  /**
   * Says whether a member is joined. That somebody is joined is remembered for
   * 30 s, that somebody is not is never remembered; concurrent questions are one.
   *
   * @param roomId Any text that {@linkcode isRoomId} accepts.
   * @param member A valid user ID or server name.
   * @returns `false` for rooms that the homeserver does not know, too.
   * @throws {TypeError} For other texts, of which no question could be made.
   * @throws {UpstreamError} When there was no clear answer in time.
   */
  isJoined(roomId: string, member: Member, timeoutMs: number): Promise<boolean>;
  /** The same, asked anew whatever is remembered. */
  isStillJoined(roomId: string, member: Member, timeoutMs: number): Promise<boolean>;
}
