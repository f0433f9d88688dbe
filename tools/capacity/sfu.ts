import type { Clock } from "../../lib/clock.ts";
import type { Participant, Participants, RoomState } from "../../lib/sfu/participants.ts";
import { Meter } from "./meter.ts";
import { SFU_MS } from "./scenario.ts";

/** An SFU behind its calls: counts them, and knows who is where. */
export class Sfu implements Participants {
  readonly calls: Meter<keyof Participants>;
  readonly #clock: Clock;
  readonly #rooms = new Map<string, Map<string, Participant>>();

  constructor(clock: Clock) {
    this.calls = new Meter(clock);
    this.#clock = clock;
  }

  /** Somebody is in a room from now on. */
  join(room: string, participant: Participant): void {
    let members = this.#rooms.get(room);
    if (members === undefined) this.#rooms.set(room, members = new Map());
    members.set(participant.identity, participant);
  }

  /** Somebody is no longer there; the room stays, as those of others do for a while. */
  leave(room: string, identity: string): void {
    this.#rooms.get(room)?.delete(identity);
  }

  async find(room: string, identity: string): Promise<Participant | undefined> {
    await this.#answer("find");
    return this.#rooms.get(room)?.get(identity);
  }

  async list(room: string): Promise<readonly Participant[]> {
    await this.#answer("list");
    return [...this.#rooms.get(room)?.values() ?? []];
  }

  async listRooms(names: readonly string[]): Promise<readonly RoomState[]> {
    await this.#answer("listRooms");
    const found: RoomState[] = [];
    for (const name of names) {
      const members = this.#rooms.get(name);
      if (members !== undefined) {
        found.push({ name, sid: `RM_${name}`, numParticipants: members.size });
      }
    }
    return found;
  }

  async #answer(method: keyof Participants): Promise<void> {
    this.calls.count(method);
    await new Promise<void>((resolve) => void this.#clock.after(SFU_MS, resolve));
  }
}
