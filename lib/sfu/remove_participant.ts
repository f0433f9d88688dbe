import { SfuError, type Twirp } from "./twirp.ts";

/**
 * Ends a participant's connection; nothing happens when nobody of this identity
 * is there. The participant's token stays good until it expires.
 *
 * @throws {SfuError} With the hop that failed.
 */
export type RemoveParticipant = (room: string, identity: string) => Promise<void>;

/** Makes {@linkcode RemoveParticipant} of a way to call RoomService. */
export function createRemoveParticipant(twirp: Twirp): RemoveParticipant {
  return async (room, identity) => {
    const body = { room, identity };
    try {
      await twirp({ method: "RemoveParticipant", grant: { roomAdmin: room }, body });
    } catch (error) {
      if (!(error instanceof SfuError && error.twirpCode === "not_found")) throw error;
    }
  };
}
