/** Those who come to calls, stay and leave. */

import type { Clock } from "../../lib/clock.ts";
import type { SfuEvent } from "../../lib/sfu/sfu_event.ts";
import { Secret } from "../../lib/secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../lib/signing/names.ts";
import type { Homeserver } from "./homeserver.ts";
import type { Replica } from "./replica.ts";
import { type Scenario, VANISHED_AFTER_MS, WEBHOOK_MS } from "./scenario.ts";
import type { Sfu } from "./sfu.ts";

/** What users deal with. */
export interface UsersOptions {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly random: () => number;
  readonly homeserver: Homeserver;
  readonly sfu: Sfu;
  readonly replicas: readonly Replica[];
}

/** Who is in the place of a room. */
interface User {
  readonly delayId: string;
  readonly identity: LiveKitIdentity;
  readonly sid: string;
}

/** From the hand-over to the call: so long, and up to as long again and more. */
const SHORTEST_WAY_MS = 500;
const LONGEST_WAY_MS = 1_500;

/** As many places as there are participants, each taken by one user after the other. */
export class Users {
  /** Users whose leave was not taken over. */
  refused = 0;
  readonly #options: UsersOptions;
  readonly #inCall: (User | undefined)[] = [];
  #number = 0;

  constructor(options: UsersOptions) {
    this.#options = options;
  }

  /** Fills the places one by one, evenly over so many milliseconds. */
  arrive(ms: number): void {
    const { clock, scenario: { participants } } = this.#options;
    for (let place = 0; place < participants; place++) {
      clock.after(place * ms / participants, () => void this.#come(place));
    }
  }

  /** All are still there, and it is over: whose leave the homeserver has sent is counted. */
  end(): void {
    for (const user of this.#inCall) {
      if (user !== undefined) this.#options.homeserver.leave(user.delayId);
    }
  }

  async #come(place: number): Promise<void> {
    const { scenario, clock, random, homeserver } = this.#options;
    const { delaySeconds, roomSize } = scenario;
    const number = this.#number++;
    const user: User = {
      delayId: `syd_${number}`,
      identity: `@user${number}:example.org:DEVICE` as LiveKitIdentity,
      sid: `PA_${number}`,
    };
    const room = `room${Math.floor(place / roomSize)}` as LiveKitRoom;
    homeserver.schedule(user.delayId, delaySeconds * 1_000);
    await this.#anyReplica().delegate({
      room,
      identity: user.identity,
      delayId: new Secret(user.delayId),
      delayTimeoutMs: delaySeconds * 1_000,
      serverName: "example.org",
      userId: user.identity,
    }).catch(() => this.refused++);
    const way = SHORTEST_WAY_MS + random() * (LONGEST_WAY_MS - SHORTEST_WAY_MS);
    clock.after(way, () => this.#enter(place, room, user));
  }

  #enter(place: number, room: LiveKitRoom, user: User): void {
    const { scenario, clock, random, sfu } = this.#options;
    this.#inCall[place] = user;
    sfu.join(room, user);
    this.#tell("participant_joined", room, user);
    const stay = -Math.log(1 - random()) * scenario.callMinutes * 60_000;
    clock.after(stay, () => this.#leave(place, room, user));
  }

  #leave(place: number, room: LiveKitRoom, user: User): void {
    const { scenario, clock, random, homeserver, sfu } = this.#options;
    this.#inCall[place] = undefined;
    homeserver.leave(user.delayId);
    const hasVanished = random() < scenario.vanishing;
    clock.after(hasVanished ? VANISHED_AFTER_MS : 0, () => {
      sfu.leave(room, user.identity);
      const reason = hasVanished ? "CONNECTION_TIMEOUT" : "CLIENT_INITIATED";
      this.#tell("participant_left", room, user, reason);
    });
    void this.#come(place);
  }

  #tell(event: string, room: string, { identity, sid }: User, reason = "UNKNOWN_REASON"): void {
    const { scenario, clock } = this.#options;
    if (!scenario.hasWebhooks) return;
    const told: SfuEvent = {
      event,
      room,
      participant: { identity, sid },
      disconnectReason: reason,
    };
    clock.after(WEBHOOK_MS, () => void this.#anyReplica().onWebhook(told));
  }

  #anyReplica(): Replica {
    const { replicas, random } = this.#options;
    return replicas[Math.floor(random() * replicas.length)]!;
  }
}
