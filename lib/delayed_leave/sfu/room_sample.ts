import type { RoomState } from "../../sfu/participants.ts";
import type { LiveKitRoom } from "../../signing/names.ts";
import type { WatchedJobs } from "../sfu_view.ts";

/** Rooms in the sample. All of them are in one call, which is made every other second. */
const SIZE = 20;
/** LiveKit counts participants every 5 s; until then having seen one is what is known. */
const SEEN_MS = 10_000;

/**
 * Some rooms in which there are participants: if all of them vanish from one
 * look to the next, the SFU has lost its rooms. That is how a crash is noticed
 * that is over so quickly that every call of ours was answered. Rooms do not vanish
 * that fast by themselves: they live on after the last participant for 20 s.
 */
export class RoomSample {
  /** LiveKit's IDs of the rooms that had participants at the last look. */
  readonly #inhabited = new Map<LiveKitRoom, string>();
  #chosen: LiveKitRoom[] = [];
  readonly #jobs: WatchedJobs;
  #candidates: Iterator<LiveKitRoom>;

  constructor(jobs: WatchedJobs) {
    this.#jobs = jobs;
    this.#candidates = jobs.rooms()[Symbol.iterator]();
  }

  /** @returns The rooms to look at next: those that had participants, and others in turn. */
  choose(): readonly LiveKitRoom[] {
    for (const room of this.#inhabited.keys()) {
      if (!this.#isWatched(room)) this.#inhabited.delete(room);
    }
    const chosen = new Set(this.#inhabited.keys());
    let restarts = 0;
    while (chosen.size < SIZE && restarts < 2) {
      const { done, value } = this.#candidates.next();
      if (!done) chosen.add(value);
      else {
        restarts++;
        this.#candidates = this.#jobs.rooms()[Symbol.iterator]();
      }
    }
    return this.#chosen = [...chosen];
  }

  /** A room has ended, and the SFU has said so: that it vanishes means nothing. */
  onFinished(room: string): void {
    this.#inhabited.delete(room as LiveKitRoom);
  }

  /** Forgets the rooms: what comes next is not to be compared with what was. */
  reset(): void {
    this.#inhabited.clear();
  }

  /**
   * Takes in what a look at the chosen rooms has found.
   *
   * @param rooms Those that exist.
   * @param now Milliseconds of the monotonic clock.
   * @returns Whether the SFU has lost its rooms since the last look.
   */
  compare(rooms: readonly RoomState[], now: number): boolean {
    const found = new Map(rooms.map((room) => [room.name, room]));
    const gone = [...this.#inhabited].filter(([room, sid]) => found.get(room)?.sid !== sid);
    // One that is still there vouches for the SFU: the others were closed on purpose.
    const isLost = gone.length > 0 && gone.length === this.#inhabited.size;
    this.#inhabited.clear();
    for (const room of this.#chosen) {
      const state = found.get(room);
      if (state !== undefined && (state.numParticipants > 0 || this.#wasSeen(room, now))) {
        this.#inhabited.set(room, state.sid);
      }
    }
    return isLost;
  }

  #isWatched(room: LiveKitRoom): boolean {
    for (const _ of this.#jobs.inRoom(room)) return true;
    return false;
  }

  #wasSeen(room: LiveKitRoom, now: number): boolean {
    for (const { seenAt } of this.#jobs.inRoom(room)) if (now - seenAt < SEEN_MS) return true;
    return false;
  }
}
