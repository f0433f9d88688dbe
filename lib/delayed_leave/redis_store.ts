/** Jobs in Redis or Valkey, which several replicas share. */

import type { Logger } from "@logtape/logtape";
import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { readRedisUrl } from "../config/parse_redis_url.ts";
import { withDeadline } from "../deadline.ts";
import type { AddressLookup } from "../net/dial.ts";
import type { TlsTrust } from "../net/tls_trust.ts";
import { describeError } from "../observability/logger.ts";
import type { Secret } from "../secret.ts";
import type { StoredJob } from "./job.ts";
import type { ParticipantEvent } from "./participant_event.ts";
import { placeOf, type RedisConnection } from "./redis_connection.ts";
import { RedisJobs } from "./redis_jobs.ts";
import { RedisLink } from "./redis_link.ts";
import { RedisRefusal } from "./redis_refusal.ts";
import { channelOf, JOBS_KEY, OWNERS_KEY } from "./redis_scripts.ts";
import { ReplicaCircle } from "./replica_circle.ts";
import { parseReplicaMessage, type ReplicaMessage } from "./replica_message.ts";
import { ReplicaProof } from "./replica_proof.ts";
import { takeOver, type TakeoverScope } from "./replica_takeover.ts";
import {
  type Act,
  type ChangeResult,
  type JobChange,
  type JobStore,
  StoreError,
  type StoreListener,
} from "./store.ts";

/** How long things take; all in milliseconds. */
export interface RedisTimes {
  /** How long a replica counts as alive after its last sign of life. */
  readonly leaseMs: number;
  /** How often it gives one. */
  readonly renewMs: number;
  /** How often it looks whether it was stopped. */
  readonly tickMs: number;
  /** How long sends are held back at most while Redis is away; see {@linkcode ReplicaProof}. */
  readonly holdMs: number;
  /** How long the answer to a command may take. */
  readonly commandMs: number;
  /** How long Redis may be silent before a new connection is tried. */
  readonly silenceMs: number;
  /** How often to look for jobs that no replica has written. */
  readonly scanMs: number;
  /** How long opening the store may take until Redis has taken the first command. */
  readonly startMs: number;
  /** How long one connection may take. */
  readonly connectMs: number;
}

/** Jobs of a replica that has died are taken within a lease, a renewal and what taking needs: 15 s. */
const TIMES: RedisTimes = {
  leaseMs: 9_000,
  renewMs: 3_000,
  tickMs: 1_000,
  holdMs: 20_000,
  commandMs: 3_000,
  silenceMs: 10_000,
  scanMs: 30_000,
  startMs: 6_500,
  connectMs: 6_000,
};

/** What the store needs. */
export interface RedisStoreOptions {
  /** As {@linkcode readRedisUrl} reads it. */
  readonly url: Secret;
  /** In place of the URL's own. */
  readonly password?: Secret;
  readonly lookup: AddressLookup;
  readonly trust: TlsTrust;
  readonly insecureSkipVerifyTls: boolean;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** For tests that cannot wait so long. */
  readonly times?: Partial<RedisTimes>;
}

/** What a user of Redis must be allowed, as ACL SETUSER takes it. */
const RULES_FOR_REPLICAS = "~lk-jwt:jobs ~matrixrtc-auth:* &matrixrtc-auth:* +ping +select +eval " +
  "+evalsha +publish +subscribe +hget +hset +hdel +hlen +hscan +hgetall +set +del +exists " +
  "+pexpire +sadd +srem +sismember +smembers";
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;
/** A head start for those who have not noticed a death themselves: a message and a look. */
const SHARE_MS = 100;
/** Messages ask for a look at Redis; not more often than this. */
const MIN_ROUND_MS = 25;
/** Every so many looks for unknown jobs, all are looked at, whatever the counts say. */
const FULL_SCAN_EVERY = 10;
const START_RETRY_MS = 250;
/** How long leaving may take; the lease ends by itself. */
const LEAVE_MS = 1_000;
/** Jobs of one question after a message about them. */
const MAX_LOST_FIELDS = 10_000;

/**
 * Makes a store over Redis or Valkey, which need not be there yet.
 *
 * Where the server knows scripts and channels, and allows them to its user, any
 * number of replicas share the jobs. Where it does not, four commands are
 * enough for one: PING, HGETALL, HSET and HDEL.
 */
export function createRedisStore(options: RedisStoreOptions): JobStore {
  return new RedisStore(options);
}

class RedisStore implements JobStore {
  readonly #options: RedisStoreOptions;
  readonly #times: RedisTimes;
  readonly #id = randomBytes(12).toString("base64url");
  readonly #place: string;
  readonly #channel: string;
  readonly #link: RedisLink;
  readonly #jobs: RedisJobs;
  readonly #circle: ReplicaCircle;
  readonly #proof: ReplicaProof;

  #listener: StoreListener | undefined;
  /** Whether there may be other replicas; `undefined` before Redis has been asked. */
  #isShared: boolean | undefined;
  #isClosed = false;
  /** While Redis cannot be used. */
  #outage:
    | { readonly since: number; readonly error: StoreError; readonly over: Promise<void> }
    | undefined;
  #endOutage = () => {};
  #failures = 0;

  #isInRound = false;
  #roundWanted = false;
  #nextRoundAt = Infinity;
  #cancelRound = () => {};
  #cancelTick = () => {};
  #cancelScan = () => {};
  #scans = 0;
  #takeoverWanted: TakeoverScope | undefined;
  /** Replicas whose death all have been told of. */
  #knownDead = new Set<string>();
  #isTakingOver = false;

  constructor(options: RedisStoreOptions) {
    const { clock, log, password } = options;
    const address = readRedisUrl(options.url.reveal());
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
    this.#place = placeOf(address);
    this.#channel = channelOf(address.database);
    this.#link = new RedisLink({
      address,
      ...(password !== undefined && { password }),
      lookup: options.lookup,
      trust: options.trust,
      insecureSkipVerifyTls: options.insecureSkipVerifyTls,
      clock,
      commandMs: this.#times.commandMs,
      connectMs: this.#times.connectMs,
      silenceMs: this.#times.silenceMs,
      onBroken: (which) => this.#onBroken(which),
    });
    this.#jobs = new RedisJobs({ id: this.#id, channel: this.#channel, clock, log });
    this.#circle = new ReplicaCircle(this.#id, this.#times.leaseMs);
    this.#proof = new ReplicaProof(clock, this.#times);
  }

  async start(listener: StoreListener): Promise<readonly StoredJob[]> {
    this.#listener = listener;
    const { clock } = this.#options;
    try {
      const late = () =>
        new StoreError(
          "tcp",
          `Redis at ${this.#place} is not ready after ${this.#times.startMs / 1000} s: check ` +
            "LIVEKIT_REDIS_URL, and that nothing keeps the server busy",
        );
      const connection = await withDeadline(
        this.#enlistPatiently(),
        this.#times.startMs,
        clock,
        late,
      );
      // Loading may take longer than a lease.
      this.#scheduleRound(this.#times.renewMs);
      this.#tick();
      const stored = this.#isShared
        ? (await Array.fromAsync(takeOver(connection, "all", this.#takeoverDeps()))).flat()
        : await this.#jobs.takeAll(connection);
      this.#scheduleScan();
      if (this.#takeoverWanted !== undefined) this.#takeOver();
      return stored;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /** While Redis loads its data it is there, but not ready. */
  async #enlistPatiently(): Promise<RedisConnection> {
    while (true) {
      try {
        return (await this.#enlist()).connection;
      } catch (error) {
        const isTransient = error instanceof RedisRefusal && error.code === "LOADING";
        if (!isTransient || this.#isClosed) throw error;
        await new Promise<void>((resolve) => this.#options.clock.after(START_RETRY_MS, resolve));
      }
    }
  }

  /**
   * Gives a sign of life, on new connections if need be.
   *
   * @returns `hasLapsed`: the one before had been forgotten, as had been, perhaps,
   * all else. `hasGaps`: there may be jobs that nobody runs.
   */
  async #enlist(): Promise<{ connection: RedisConnection; hasLapsed: boolean; hasGaps: boolean }> {
    const { connection, isNew } = await this.#link.openCommands();
    if (this.#isShared === false && !isNew) {
      await this.#ping(connection);
      return { connection, hasLapsed: false, hasGaps: false };
    }
    const given = this.#proof.moment();
    try {
      const { wasAlive, hasGaps } = await this.#circle.renew(connection);
      const wasDeaf = await this.#link.listen(this.#channel, (text) => this.#onMessage(text));
      if (isNew || wasDeaf) await this.#publish(connection, { kind: "came", from: this.#id });
      const isFirst = this.#isShared === undefined;
      this.#isShared = true;
      const isDoubtful = !isFirst && (!wasAlive || isNew || wasDeaf || !this.#proof.isValid);
      // What is another's by now must be known before anything may be done again.
      if (isDoubtful) await this.#dropLost(connection);
      this.#proof.renew(given);
      return { connection, hasLapsed: !isFirst && !wasAlive, hasGaps: hasGaps || isDoubtful };
    } catch (error) {
      if (!(error instanceof RedisRefusal && error.isUnsupported)) throw error;
      this.#link.dropMessages();
      await this.#ping(connection);
      if (this.#isShared !== false) this.#warnAlone(error);
      this.#isShared = false;
      return { connection, hasLapsed: false, hasGaps: false };
    }
  }

  /** Any answer is a sign of life. */
  async #ping(connection: RedisConnection): Promise<void> {
    try {
      await connection.call("PING");
    } catch (error) {
      if (!(error instanceof RedisRefusal)) throw error;
    }
  }

  #warnAlone(error: RedisRefusal): void {
    this.#options.log.warning(
      `this service must be the only one on its Redis: ${error.message}; for several replicas, ` +
        `${RULES_FOR_REPLICAS} are needed`,
    );
  }

  /** One look at Redis and what others do; then the next one. */
  async #round(): Promise<void> {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    this.#isInRound = true;
    this.#roundWanted = false;
    this.#cancelRound();
    let nextMs: number;
    try {
      const { connection, hasLapsed, hasGaps } = await this.#enlist();
      this.#failures = 0;
      nextMs = this.#roundWanted || this.#proof.isStopped ? MIN_ROUND_MS : this.#times.renewMs;
      this.#recover(hasLapsed);
      if (await this.#tellOfDeaths(connection)) {
        // The others start as soon as they have heard and looked themselves.
        clock.after(SHARE_MS, () => this.#wantTakeover("owned"));
      } else if (hasGaps) this.#wantTakeover("owned");
      else if (this.#takeoverWanted !== undefined) this.#takeOver();
    } catch (error) {
      nextMs = this.#retryMs();
      if (!this.#isClosed) {
        this.#noteOutage(error);
        // Another server may be behind the same address by now, and then it is the better one.
        if (error instanceof RedisRefusal) this.#link.dropCommands();
      }
    }
    this.#isInRound = false;
    this.#nextRoundAt = Infinity;
    this.#scheduleRound(nextMs);
  }

  /**
   * Whoever notices a death tells the others, so that all start at the same time
   * and none takes everything.
   *
   * @returns Whether there was anything to tell, and anybody.
   */
  async #tellOfDeaths(connection: RedisConnection): Promise<boolean> {
    const { dead, others } = this.#circle;
    const news = [...dead].filter((id) => !this.#knownDead.has(id));
    this.#knownDead = new Set(dead);
    if (others.size === 0) return false;
    for (const id of news) await this.#publish(connection, { kind: "gone", from: id });
    return news.length > 0;
  }

  #retryMs(): number {
    const longest = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
    return longest * (0.5 + this.#options.random() / 2);
  }

  /** Sees to it that there is a round in so many milliseconds, or before. */
  #scheduleRound(ms: number): void {
    const { clock } = this.#options;
    const at = clock.monotonic() + ms;
    if (this.#isClosed || this.#isInRound || this.#nextRoundAt <= at) return;
    this.#cancelRound();
    this.#nextRoundAt = at;
    this.#cancelRound = clock.after(ms, () => this.#round());
  }

  /** Somebody has a reason to look soon; while Redis is away, when it is time for the next try. */
  #wantRound(): void {
    this.#roundWanted = true;
    if (this.#failures === 0) this.#scheduleRound(MIN_ROUND_MS);
  }

  #tick(): void {
    if (this.#isClosed) return;
    if (this.#proof.isStopped) this.#wantRound();
    this.#cancelTick = this.#options.clock.after(this.#times.tickMs, () => this.#tick());
  }

  #onBroken(which: "commands" | "messages"): void {
    if (this.#isClosed || this.#isShared === undefined) return;
    if (which === "commands") {
      this.#noteOutage(
        new StoreError("tcp", `the connection to Redis at ${this.#place} has broken`),
      );
    }
    this.#wantRound();
  }

  #noteOutage(error: unknown): void {
    if (this.#outage !== undefined || this.#isClosed) return;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#endOutage = resolve;
    this.#outage = {
      since: this.#options.clock.monotonic(),
      error: error instanceof StoreError
        ? error
        : new StoreError("answer", `Redis at ${this.#place} cannot be used`, { cause: error }),
      over,
    };
    const reason = describeError(error);
    this.#options.log.warning(`Redis cannot be used, jobs go on without: ${reason}`);
  }

  #recover(hasLapsed: boolean): void {
    const outage = this.#outage;
    this.#outage = undefined;
    this.#endOutage();
    if (outage !== undefined) {
      const ms = Math.round(this.#options.clock.monotonic() - outage.since);
      this.#options.log.info("Redis can be used again", { ms });
    }
    if (outage !== undefined || hasLapsed) this.#listener?.onRecovered();
  }

  async #dropLost(connection: RedisConnection, fields?: readonly string[]): Promise<void> {
    const lost = await this.#jobs.findLost(connection, fields);
    if (lost.length > 0) this.#listener?.onLost(lost);
  }

  #takeoverDeps() {
    const { clock, random } = this.#options;
    return { jobs: this.#jobs, circle: this.#circle, clock, random };
  }

  #wantTakeover(scope: TakeoverScope): void {
    if (this.#takeoverWanted !== "all") this.#takeoverWanted = scope;
    this.#takeOver();
  }

  async #takeOver(): Promise<void> {
    if (this.#isTakingOver || !this.#isStarted) return;
    this.#isTakingOver = true;
    try {
      while (this.#takeoverWanted !== undefined && !this.#isClosed && this.#isShared) {
        const connection = this.#usable();
        const scope = this.#takeoverWanted;
        this.#takeoverWanted = undefined;
        try {
          let count = 0;
          for await (const jobs of takeOver(connection, scope, this.#takeoverDeps())) {
            count += jobs.length;
            this.#listener?.onTaken(jobs);
          }
          if (count > 0) {
            this.#options.log.info("jobs that no replica ran any more are run here", { count });
          }
        } catch (error) {
          // To be tried again with the next round that works.
          this.#takeoverWanted ??= scope;
          throw error;
        }
      }
    } catch (error) {
      if (!this.#isClosed) this.#noteFailure(error);
    } finally {
      this.#isTakingOver = false;
    }
  }

  get #isStarted(): boolean {
    return this.#scans > 0;
  }

  #scheduleScan(): void {
    if (this.#isClosed) return;
    this.#scans++;
    this.#cancelScan = this.#options.clock.after(this.#times.scanMs, () => this.#scan());
  }

  /** Looks for jobs that another program has written while this one runs. */
  async #scan(): Promise<void> {
    const connection = this.#link.commands;
    if (this.#isShared && this.#outage === undefined && connection !== undefined) {
      try {
        const [jobs, owners] = await Promise.all(
          [JOBS_KEY, OWNERS_KEY].map((key) => connection.call("HLEN", key)),
        );
        if (jobs !== owners || this.#scans % FULL_SCAN_EVERY === 0) this.#wantTakeover("all");
      } catch (error) {
        this.#noteFailure(error);
      }
    }
    this.#scheduleScan();
  }

  #onMessage(text: string): void {
    if (this.#isClosed) return;
    const message = parseReplicaMessage(text);
    if (message === undefined || message.from === this.#id) return;
    switch (message.kind) {
      case "event":
        this.#listener?.onEvent(message.event);
        break;
      case "lost":
        if (message.to === this.#id) this.#onLostMessage(message.fields);
        break;
      case "came":
        // It may be told of events before this one has looked.
        this.#circle.greet(message.from);
        this.#wantRound();
        break;
      case "gone":
        this.#knownDead.add(message.from);
        this.#takeoverWanted ??= "owned";
        this.#wantRound();
    }
  }

  /** The message may be old or forged: Redis is asked. */
  async #onLostMessage(fields: readonly string[]): Promise<void> {
    try {
      await this.#dropLost(this.#usable(), fields.slice(0, MAX_LOST_FIELDS));
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  async write(changes: readonly JobChange[]): Promise<readonly ChangeResult[]> {
    if (changes.length === 0) return [];
    await this.#waitForEndOfOutage();
    try {
      return await this.#jobs.write(this.#usable(), changes, this.#isShared === true);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** A short outage, such as a restart of Redis, is waited out; a longer one is told at once. */
  async #waitForEndOfOutage(): Promise<void> {
    const outage = this.#outage;
    if (outage === undefined) return;
    const { clock } = this.#options;
    const left = outage.since + this.#times.commandMs - clock.monotonic();
    if (left > 0) await withDeadline(outage.over, left, clock, () => outage.error);
  }

  /** @throws {StoreError} While Redis cannot be used. */
  #usable(): RedisConnection {
    const connection = this.#link.commands;
    if (this.#outage === undefined && connection !== undefined) return connection;
    throw this.#outage?.error ?? new StoreError("tcp", "there is no connection to Redis");
  }

  /** A command has failed; whether that is an outage says its error. */
  #noteFailure(error: unknown): void {
    if (this.#isClosed || error === this.#outage?.error) return;
    // Full memory and the like keep a change from being made, and nothing else.
    const refused = error instanceof RedisRefusal;
    if (refused && !["READONLY", "MASTERDOWN", "NOAUTH", "LOADING"].includes(error.code)) return;
    this.#noteOutage(error);
    if (refused) this.#link.dropCommands();
    this.#wantRound();
  }

  async pass(event: ParticipantEvent): Promise<void> {
    if (!this.#isShared || this.#circle.others.size === 0) return;
    let heard: unknown;
    try {
      heard = await this.#publish(this.#usable(), { kind: "event", from: this.#id, event });
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
    // This replica hears itself, too.
    if (Number(heard) > (this.#link.isListening ? 1 : 0)) return;
    throw new StoreError("answer", "no other replica listens to the channel in Redis right now");
  }

  async #publish(connection: RedisConnection, message: ReplicaMessage): Promise<unknown> {
    return await connection.call("PUBLISH", this.#channel, JSON.stringify(message));
  }

  mayAct(act: Act): boolean {
    if (this.#isShared === false) return true;
    if (this.#proof.isStopped) this.#wantRound();
    return this.#proof.mayAct(act, this.#circle.others.size > 0);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const connection = this.#outage === undefined ? this.#link.commands : undefined;
    this.#stop();
    if (connection !== undefined && this.#isShared) {
      const late = () => new Error("too late");
      const leaving = this.#circle.leave(connection, this.#channel);
      // The others notice by themselves, a little later.
      await withDeadline(leaving, LEAVE_MS, this.#options.clock, late).catch(() => {});
    }
    this.#link.close();
  }

  #stop(): void {
    this.#isClosed = true;
    this.#cancelRound();
    this.#cancelTick();
    this.#cancelScan();
    this.#endOutage();
  }

  #end(): void {
    this.#stop();
    this.#link.close();
  }
}
