import type { Logger } from "@logtape/logtape";
import type { Clock } from "../../clock.ts";
import { describeError, hopFact } from "../../observability/logger.ts";
import type { Participants, RoomState } from "../../sfu/participants.ts";
import { SfuError } from "../../sfu/twirp.ts";
import type { LiveKitRoom } from "../../signing/names.ts";
import { RoomSample } from "./room_sample.ts";
import type { WatchedJobs } from "../sfu_view.ts";
import { Slots } from "../../slots.ts";

/** What watching the SFU's health needs. */
export interface SfuHealthOptions {
  readonly participants: Pick<Participants, "listRooms">;
  readonly jobs: WatchedJobs;
  /** Creates a room that may be gone. */
  readonly ensureRoom: (room: LiveKitRoom) => Promise<void>;
  /** The time that participants were given to come back is over. */
  readonly onGraceOver: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** From one call to the next while all is well. */
const HEARTBEAT_MS = 2_000;
/** The same after the first failed call, the second …; the last one for good. */
const RETRY_MS = [500, 1_000, 2_000];
/** Extra calls, for those who ask in between, are at least so far from the one before. */
const SPACING_MS = 100;
/** How long participants may take to come back to an SFU that was away. */
const GRACE_MS = 30_000;
/** The same where rooms were gone before this process looked: their calls may as well have ended. */
const EARLIER_GRACE_MS = 5_000;
const CREATIONS_AT_ONCE = 16;
/** Room names in one call. */
const NAMES_AT_ONCE = 200;

/**
 * Says whether what the SFU tells of absence may be believed.
 *
 * An SFU that has crashed knows nobody when it is back, while all participants
 * are on their way. So while there are jobs to watch, it is called every other
 * second. When it has been away, their rooms are created again, without which
 * clients cannot come back, and for half a minute nobody counts as absent.
 */
export class SfuHealth {
  readonly #options: SfuHealthOptions;
  readonly #sample: RoomSample;
  readonly #creations = new Slots(CREATIONS_AT_ONCE);
  #isStarted = false;
  /** Whether the SFU is called again and again, since there are jobs to watch. */
  #isWatching = false;
  #everAnswered = false;
  /** Whether it was seen to that rooms of an earlier process's jobs exist. */
  #hasMet = false;
  #downSince: number | undefined;
  #failures = 0;
  #graceUntil = -Infinity;
  /** The rooms that the grace is for; `undefined` for all. */
  #graceRooms: ReadonlySet<string> | undefined;
  #calledAt = -Infinity;
  #call: Promise<void> | undefined;
  #nextCall: Promise<void> | undefined;
  #cancelTimer = () => {};
  #cancelGraceEnd = () => {};

  constructor(options: SfuHealthOptions) {
    this.#options = options;
    this.#sample = new RoomSample(options.jobs);
  }

  /** Whether the SFU has answered since the start. */
  get everAnswered(): boolean {
    return this.#everAnswered;
  }

  /** Whether the SFU is known to be away. */
  get isDown(): boolean {
    return this.#isWatching && this.#downSince !== undefined;
  }

  start(): void {
    this.#isStarted = true;
    this.wake();
  }

  stop(): void {
    this.#isStarted = false;
    this.#rest();
    this.#cancelGraceEnd();
  }

  /** There may be jobs to watch. */
  wake(): void {
    if (!this.#isStarted || this.#isWatching || !this.#hasJobs()) return;
    this.#isWatching = true;
    void this.#callSoon();
  }

  /** Somebody else's call was answered. */
  onAnswer(): void {
    this.#everAnswered = true;
  }

  /** Somebody else's call has failed. One room's node may be to blame; the next call will tell. */
  onFailure(error: unknown): void {
    if (error instanceof SfuError && !error.isOutage) return;
    if (this.#isWatching && !this.isDown) void this.#callSoon();
  }

  /** The SFU has closed a room and says so. */
  onRoomFinished(room: string): void {
    this.#sample.onFinished(room);
  }

  /** Whether absence from a room may count, from what is known already. */
  countsIn(room: string): boolean {
    if (!this.#isStarted || this.isDown) return false;
    const isInGrace = this.#options.clock.monotonic() < this.#graceUntil;
    return !(isInGrace && (this.#graceRooms?.has(room) ?? true));
  }

  /**
   * Whether the absence counts that the SFU has just told of. The SFU is called
   * once more, to see whether it has lost its rooms a moment ago.
   */
  async absenceCounts(room: string): Promise<boolean> {
    if (this.#isWatching && this.countsIn(room)) await this.#callSoon();
    return this.countsIn(room);
  }

  #hasJobs(): boolean {
    for (const _ of this.#options.jobs.rooms()) return true;
    return false;
  }

  /** Makes a call that begins after now; all who ask before it has begun share it. */
  #callSoon(): Promise<void> {
    return this.#nextCall ??= this.#callNext();
  }

  async #callNext(): Promise<void> {
    const { clock } = this.#options;
    await this.#call;
    const wait = this.#calledAt + SPACING_MS - clock.monotonic();
    if (wait > 0) await new Promise<void>((resolve) => clock.after(wait, resolve));
    this.#nextCall = undefined;
    this.#call = this.#beat();
    await this.#call;
  }

  async #beat(): Promise<void> {
    const { clock, log, participants } = this.#options;
    this.#cancelTimer();
    if (!this.#isStarted) return;
    this.#calledAt = clock.monotonic();
    const names = this.#sample.choose();
    if (names.length === 0) {
      this.#rest();
      return;
    }
    try {
      await this.#take(await participants.listRooms(names));
    } catch (error) {
      if (error instanceof SfuError && !error.isOutage) {
        // It works, but does not tell; then all that can be noticed is that it is away.
        this.#sample.reset();
        this.#comeBack();
        this.#everAnswered ||= error.twirpCode !== undefined;
      } else {
        this.#failures++;
        if (this.#downSince === undefined) {
          this.#downSince = clock.monotonic();
          log.warning("the SFU does not answer; until it does, nobody is taken for absent", {
            error: describeError(error),
            ...hopFact(error),
          });
        }
      }
    }
    if (!this.#isWatching) return;
    const wait = this.#downSince === undefined
      ? HEARTBEAT_MS
      : RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] ?? HEARTBEAT_MS;
    this.#cancelTimer = clock.after(wait, () => void this.#callSoon());
  }

  async #take(rooms: readonly RoomState[]): Promise<void> {
    const { clock, log } = this.#options;
    if (!this.#hasMet && this.#downSince === undefined) await this.#meet();
    this.#hasMet = true;
    const isLost = this.#sample.compare(rooms, clock.monotonic());
    if (isLost && this.#downSince === undefined) {
      log.warning("the SFU has lost its rooms; it must have been started anew");
      this.#downSince = clock.monotonic();
    }
    this.#comeBack();
    this.#everAnswered = true;
  }

  /** The first answer since the start: rooms of earlier jobs may have gone before that. */
  async #meet(): Promise<void> {
    const { participants } = this.#options;
    const expected = this.#unseenRooms();
    const existing = new Set<string>();
    for (let at = 0; at < expected.length; at += NAMES_AT_ONCE) {
      const rooms = await participants.listRooms(expected.slice(at, at + NAMES_AT_ONCE));
      for (const { name } of rooms) existing.add(name);
    }
    const missing = expected.filter((room) => !existing.has(room));
    if (missing.length > 0) this.#giveGrace(EARLIER_GRACE_MS, missing, new Set(missing));
  }

  /** Rooms with jobs of an earlier process: participants whom this one has not seen. */
  #unseenRooms(): LiveKitRoom[] {
    const { jobs } = this.#options;
    return [...jobs.rooms()].filter((room) => {
      for (const { seenAt } of jobs.inRoom(room)) if (seenAt === -Infinity) return true;
      return false;
    });
  }

  #comeBack(): void {
    const { clock, jobs, log } = this.#options;
    const since = this.#downSince;
    if (since === undefined) return;
    this.#downSince = undefined;
    this.#failures = 0;
    // Nobody can be expected back at an SFU that this process has never seen, but for those whom
    // an earlier one has seen: it may have been started anew since.
    const isExpected = this.#everAnswered || this.#unseenRooms().length > 0;
    const rooms = isExpected ? [...jobs.rooms()] : [];
    const seconds = Math.round((clock.monotonic() - since) / 100) / 10;
    log.info("the SFU is back, and participants may come back", { seconds, rooms: rooms.length });
    if (isExpected) this.#giveGrace(GRACE_MS, rooms, undefined);
  }

  #giveGrace(
    graceMs: number,
    rooms: readonly LiveKitRoom[],
    only: ReadonlySet<string> | undefined,
  ): void {
    const { clock, onGraceOver } = this.#options;
    this.#graceUntil = clock.monotonic() + graceMs;
    this.#graceRooms = only;
    this.#cancelGraceEnd();
    this.#cancelGraceEnd = clock.after(graceMs, onGraceOver);
    void this.#createAll(rooms);
  }

  async #createAll(rooms: readonly LiveKitRoom[]): Promise<void> {
    const { ensureRoom, log } = this.#options;
    let failed = 0;
    let reason: unknown;
    await Promise.all(
      rooms.map((room) =>
        this.#creations.run(() => ensureRoom(room)).catch((error) => {
          failed++;
          reason = error;
        })
      ),
    );
    if (failed === 0) return;
    log.warning("not all rooms could be created again", {
      failed,
      rooms: rooms.length,
      error: describeError(reason),
      ...hopFact(reason),
    });
  }

  #rest(): void {
    this.#isWatching = false;
    this.#cancelTimer();
  }
}
