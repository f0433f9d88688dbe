/** Rooms of the SFU: created when the first user of a call comes. */

import type { Clock } from "../clock.ts";
import type { LiveKitRoom } from "../signing/names.ts";
import type { Twirp } from "./twirp.ts";

/** Creates rooms, and remembers for a moment that they exist. */
export interface Rooms {
  /**
   * Makes sure that a room exists. Calls for one room share one call to the SFU.
   *
   * @throws {SfuError} With the hop that failed.
   */
  ensure(room: LiveKitRoom): Promise<void>;
  /** The SFU has closed a room: the next {@linkcode Rooms.ensure} asks it again. */
  forget(room: string): void;
}

/** Seconds that an empty room stays before the first participant, and after the last one. */
const EMPTY_TIMEOUT_SECONDS = 300;
const DEPARTURE_TIMEOUT_SECONDS = 20;
/** Well under the departure timeout, so what is remembered is still there. */
const REMEMBER_MS = 2_000;

/** Makes {@linkcode Rooms} of a way to call RoomService. */
export function createRooms(twirp: Twirp, clock: Clock): Rooms {
  // The call under way, or the one that succeeded less than REMEMBER_MS ago.
  const known = new Map<string, Promise<void>>();

  function forgetIf(room: string, creation: Promise<void>): void {
    if (known.get(room) === creation) known.delete(room);
  }

  async function create(room: LiveKitRoom): Promise<void> {
    await twirp({
      method: "CreateRoom",
      grant: "roomCreate",
      body: {
        name: room,
        empty_timeout: EMPTY_TIMEOUT_SECONDS,
        departure_timeout: DEPARTURE_TIMEOUT_SECONDS,
        max_participants: 0,
      },
    });
  }

  return {
    ensure(room) {
      const underWay = known.get(room);
      if (underWay !== undefined) return underWay;
      const creation = create(room);
      known.set(room, creation);
      creation.then(
        () => void clock.after(REMEMBER_MS, () => forgetIf(room, creation)),
        () => forgetIf(room, creation),
      );
      return creation;
    },
    forget: (room) => void known.delete(room),
  };
}
