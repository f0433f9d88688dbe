/** What the SFU tells of a participant, as far as jobs are concerned. */
export interface ParticipantEvent {
  /**
   * `joined`: is in the call. `left`: had been in it. `aborted`: had not got
   * that far (LiveKit: `participant_connection_aborted`).
   */
  readonly kind: "joined" | "left" | "aborted";
  readonly room: string;
  readonly identity: string;
  /** LiveKit's ID of this very connection. */
  readonly sid?: string;
  /** LiveKit's name of a DisconnectReason; `UNKNOWN_REASON` unless told. */
  readonly reason: string;
}
