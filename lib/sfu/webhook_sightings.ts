/** What has come of LiveKit's webhooks so far, for whoever holds the key and asks. */

import type { Clock } from "../clock.ts";
import type { SfuEvent } from "./sfu_event.ts";

/**
 * The event that nothing has happened in: whoever signs it is told what webhooks have come. LiveKit
 * has no event of this name, and other services of this kind take no notice of it.
 */
export const DOCTOR_EVENT = "matrixrtc_auth_doctor";

/** Rooms with names like this are `doctor`'s; no call's name begins so, see `liveKitRoom()`. */
const DOCTOR_ROOM = /^doctor-[0-9a-z]{1,40}$/;
const MAX_ROOMS = 16;

/** The answer: no names but those of `doctor`'s own rooms. */
export interface WebhookReport {
  /** Authentic events since the start. */
  readonly received: number;
  /** Events since the start that somebody else's key has signed, or nobody's. */
  readonly rejected: number;
  /** Milliseconds since the last authentic one. */
  readonly last_age_ms?: number;
  /** `doctor`'s last rooms of which events have come. */
  readonly doctor_rooms: readonly string[];
}

/**
 * What webhooks do, for whoever asks: they come; none has come yet; or the last one that came, not
 * long ago, was signed with another key.
 */
export type WebhookState = "arriving" | "none" | "rejected";

/** Whoever sends no more wrong ones after that has been put right, or was a stranger. */
const REJECTED_FOR_MS = 600_000;

/** Counts webhooks. */
export class WebhookSightings {
  readonly #clock: Clock;
  #received = 0;
  #rejected = 0;
  #lastAt: number | undefined;
  #rejectedAt = -Infinity;
  #rooms: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An authentic event has come. */
  note({ room }: SfuEvent): void {
    this.#received++;
    this.#lastAt = this.#clock.monotonic();
    if (room === undefined || !DOCTOR_ROOM.test(room) || this.#rooms.includes(room)) return;
    this.#rooms = [...this.#rooms, room].slice(-MAX_ROOMS);
  }

  /** An event has come that our keys have not signed. */
  noteRejected(): void {
    this.#rejected++;
    this.#rejectedAt = this.#clock.monotonic();
  }

  /** All of it in a word. */
  state(): WebhookState {
    const isNewest = this.#rejectedAt > (this.#lastAt ?? -Infinity);
    if (isNewest && this.#clock.monotonic() - this.#rejectedAt < REJECTED_FOR_MS) return "rejected";
    return this.#lastAt === undefined ? "none" : "arriving";
  }

  /** All of it, in the words of the wire. */
  report(): WebhookReport {
    return {
      received: this.#received,
      rejected: this.#rejected,
      ...this.#lastAt !== undefined && {
        last_age_ms: Math.round(this.#clock.monotonic() - this.#lastAt),
      },
      doctor_rooms: this.#rooms,
    };
  }
}
