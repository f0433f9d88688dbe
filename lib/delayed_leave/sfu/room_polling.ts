import { LRUCache } from "lru-cache";
import type { Clock } from "../../clock.ts";
import type { LiveKitRoom } from "../../signing/names.ts";
import { type JobKey, jobKey } from "../job.ts";
import type { ParticipantEvent } from "../participant_event.ts";
import type { FindMembers, RoomMembers } from "./room_members.ts";
import type { WatchedJob, WatchedJobs } from "../sfu_view.ts";
import { Slots } from "../../slots.ts";

/** What polling needs. */
export interface RoomPollingOptions {
  readonly jobs: WatchedJobs;
  readonly findMembers: FindMembers;
  /** From one look into a room to the next, in milliseconds; 0: none. */
  readonly intervalMs: number;
  /** Whether the SFU can be asked at all. */
  readonly isDown: () => boolean;
  /** Whether absence from a room counts. */
  readonly countsIn: (room: LiveKitRoom) => boolean;
  readonly onAnswer: () => void;
  readonly onFailure: (error: unknown) => void;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** How much longer the interval is while webhooks tell what happens. */
const SLOWER = 3;
/** For so many intervals after a webhook, or after one was missed, it is known which. */
const REMEMBER_INTERVALS = 10;
/** A webhook about somebody who was found missing may come so much later, */
const LATE_WEBHOOK_MS = 5_000;
/** or have come so much earlier. */
const EARLY_WEBHOOK_MS = 60_000;
/** Departures that webhooks have told, the last ones; two hundred bytes each. */
const MAX_TOLD = 10_000;
/** Departures at once that webhooks are awaited for. One that stays untold says enough. */
const MAX_MISSING = 1_000;
/** Rooms that fall due within this time are looked into together. */
const MIN_STEP_MS = 100;
/** More lateness than this is not caught up with. */
const MAX_LATE_MS = 1_000;
const CALLS_AT_ONCE = 16;

/**
 * Looks into every room with jobs once per interval, in turn, and tells the jobs
 * who is there: the way to know when webhooks are lost or were never set up.
 * While they arrive, it takes its time.
 */
export class RoomPolling {
  readonly #options: RoomPollingOptions;
  readonly #slots = new Slots(CALLS_AT_ONCE);
  /** Rooms of this round, and which of them is next. */
  #round: LiveKitRoom[] = [];
  #next = 0;
  /** How far this round has come, in rooms. */
  #progress = 0;
  #steppedAt = 0;
  #waitMs = 0;
  /** Where within its share of the round a room is looked into; replicas differ in this. */
  readonly #phase: number;
  #cancelTimer: (() => void) | undefined;
  #webhookAt = -Infinity;
  #missedAt = -Infinity;
  readonly #told = new LRUCache<JobKey, number>({ max: MAX_TOLD });
  /** Who was found missing, and when; those found first come first. */
  readonly #missing = new Map<WatchedJob, number>();
  /** Rooms that wait for their turn to be looked into. */
  readonly #queued = new Set<LiveKitRoom>();

  constructor(options: RoomPollingOptions) {
    this.#options = options;
    this.#phase = options.random();
  }

  /** There may be rooms to look into. */
  wake(): void {
    const { clock, intervalMs } = this.#options;
    if (intervalMs === 0 || this.#cancelTimer !== undefined) return;
    this.#steppedAt = clock.monotonic();
    this.#begin();
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** The SFU has told something: webhooks work. */
  onWebhook(): void {
    this.#webhookAt = this.#options.clock.monotonic();
  }

  /** The SFU has told, here or to another replica, what has become of a participant. */
  onEvent({ kind, room, identity }: ParticipantEvent): void {
    if (kind !== "joined") this.#told.set(jobKey(room, identity), this.#options.clock.monotonic());
  }

  /** Looks into all rooms as soon as can be, whatever the interval. */
  async pollAll(): Promise<void> {
    const rooms = [...this.#options.jobs.rooms()];
    await Promise.all(rooms.map((room) => this.#poll(room)));
  }

  /** Begins a round, if there is anything to look into. */
  #begin(): void {
    this.#round = [...this.#options.jobs.rooms()];
    this.#next = 0;
    this.#progress = 0;
    if (this.#round.length === 0) this.stop();
    else this.#schedule();
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    const roomMs = this.#intervalMs() / this.#round.length;
    const due = this.#next < this.#round.length ? this.#next + this.#phase : this.#round.length;
    // The pace may change meanwhile, hence not too long.
    const wait = Math.min((due - this.#progress) * roomMs, intervalMs);
    this.#waitMs = Math.max(wait, MIN_STEP_MS);
    this.#cancelTimer = clock.after(this.#waitMs, () => this.#step());
  }

  #step(): void {
    const now = this.#options.clock.monotonic();
    this.#judgeWebhooks(now);
    // After a pause of the whole process the rooms must not come all at once.
    const passed = Math.min(now - this.#steppedAt, this.#waitMs + MAX_LATE_MS);
    this.#progress += passed / this.#intervalMs() * this.#round.length;
    this.#steppedAt = now;
    while (
      this.#next < this.#round.length && this.#next + this.#phase <= this.#progress + 1e-9
    ) void this.#poll(this.#round[this.#next++]!);
    if (this.#progress + 1e-9 < this.#round.length) this.#schedule();
    else this.#begin();
  }

  #intervalMs(): number {
    const { clock, intervalMs } = this.#options;
    const now = clock.monotonic();
    const remembered = REMEMBER_INTERVALS * intervalMs;
    const areHeard = now - this.#webhookAt < remembered && now - this.#missedAt >= remembered;
    return areHeard ? intervalMs * SLOWER : intervalMs;
  }

  /** Finds out whether a webhook was missed. */
  #judgeWebhooks(now: number): void {
    for (const [job, missingSince] of this.#missing) {
      if (now - missingSince < LATE_WEBHOOK_MS) break;
      this.#missing.delete(job);
      const isTold = identitiesOf(job).some((identity) => {
        const toldAt = this.#told.get(jobKey(job.job.room, identity)) ?? -Infinity;
        return toldAt > missingSince - EARLY_WEBHOOK_MS;
      });
      if (!isTold && job.seenAt < missingSince) this.#missedAt = now;
    }
  }

  async #poll(room: LiveKitRoom): Promise<void> {
    const { clock, countsIn, findMembers, isDown, jobs, onAnswer, onFailure } = this.#options;
    if (this.#queued.has(room)) return;
    this.#queued.add(room);
    await this.#slots.run(async () => {
      this.#queued.delete(room);
      const identities = [...jobs.inRoom(room)].flatMap(identitiesOf);
      if (identities.length === 0 || isDown()) return;
      const askedAt = clock.monotonic();
      let members: RoomMembers;
      try {
        members = await findMembers(room, identities);
      } catch (error) {
        onFailure(error);
        return;
      }
      onAnswer();
      const absenceCounts = countsIn(room);
      // What a job is told may end it, and so change what is in the room.
      for (const job of [...jobs.inRoom(room)]) {
        const identity = identitiesOf(job).find((identity) => members.has(identity));
        if (identity !== undefined) job.onPresent(members.get(identity)!);
        else if (absenceCounts && job.seenAt < askedAt) this.#tellAbsence(job);
      }
    });
  }

  #tellAbsence(job: WatchedJob): void {
    const { clock, intervalMs } = this.#options;
    const isNews = intervalMs > 0 && !this.#missing.has(job) && this.#missing.size < MAX_MISSING;
    if (isNews) this.#missing.set(job, clock.monotonic());
    job.onAbsent();
  }
}

function identitiesOf({ job: { identity, otherIdentity } }: WatchedJob) {
  return otherIdentity === undefined ? [identity] : [identity, otherIdentity];
}
