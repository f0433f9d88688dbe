/** Jobs in Redis or Valkey, which several replicas share. */

import type { Logger } from "@logtape/logtape";
import { randomBytes } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { readRedisUrl } from "../../config/parse/parse_redis_url.ts";
import { withDeadline } from "../../deadline.ts";
import type { AddressLookup } from "../../net/dial.ts";
import type { TlsTrust } from "../../net/tls_trust.ts";
import type { Secret } from "../../secret.ts";
import type { StoredJob } from "../job.ts";
import type { ParticipantEvent } from "../participant_event.ts";
import { placeOf, type RedisConnection } from "./redis_connection.ts";
import { RedisJobs } from "./redis_jobs.ts";
import { RedisLink } from "./redis_link.ts";
import { RedisRefusal } from "./redis_refusal.ts";
import { channelOf, JOBS_KEY, OWNERS_KEY } from "./redis_scripts.ts";
import { ReplicaCircle } from "./replica_circle.ts";
import { parseReplicaMessage, type ReplicaMessage } from "./replica_message.ts";
import { ReplicaProof } from "./replica_proof.ts";
import { RollCall } from "./replica_roll_call.ts";
import { Rounds } from "./replica_rounds.ts";
import { Takeover } from "./replica_takeover.ts";
import { REDIS_TIMES, type RedisTimes } from "./redis_times.ts";
import { RedisOutage } from "./redis_outage.ts";
import { replicaForTask } from "./share_of_tasks.ts";
import {
  type Act,
  type ChangeResult,
  type JobChange,
  type JobStore,
  StoreError,
  type StoreListener,
} from "../store.ts";

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
  "+pexpire +sadd +srem +sismember +smembers +incrby +pttl";
/** A head start for those who have not noticed a death themselves: a message and a look. */
const SHARE_MS = 100;
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
  readonly #outage: RedisOutage;
  readonly #takeover: Takeover;
  readonly #rounds: Rounds;
  readonly #rollCall: RollCall;

  #listener: StoreListener | undefined;
  /** Whether there may be other replicas; `undefined` before Redis has been asked. */
  #isShared: boolean | undefined;
  #isClosed = false;
  #cancelTick = () => {};
  #cancelScan = () => {};
  #scans = 0;
  /** Replicas whose death all have been told of. */
  #knownDead = new Set<string>();

  constructor(options: RedisStoreOptions) {
    const { clock, log, password } = options;
    const address = readRedisUrl(options.url.reveal());
    this.#options = options;
    this.#times = { ...REDIS_TIMES, ...options.times };
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
    this.#outage = new RedisOutage(clock, log);
    this.#rounds = new Rounds({
      clock,
      random: options.random,
      everyMs: this.#times.renewMs,
      run: () => this.#round(),
    });
    this.#rollCall = new RollCall(clock);
    this.#takeover = new Takeover({
      jobs: this.#jobs,
      circle: this.#circle,
      clock,
      random: options.random,
      connection: () => this.#usable(),
      onTaken: (jobs) => this.#listener?.onTaken(jobs),
      onFailure: (error) => this.#noteFailure(error),
      log,
    });
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
      this.#rounds.start();
      this.#tick();
      if (this.#isShared) await this.#callRoll(connection);
      const stored = this.#isShared
        ? await this.#takeover.first(connection)
        : await this.#jobs.takeAll(connection);
      this.#scheduleScan();
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
      if (isDoubtful) {
        const mayHaveEnded = this.#proof.isStopped && this.#circle.others.size > 0;
        await this.#dropLost(connection, { mayHaveEnded });
      }
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

  /** A process that was killed is followed by the next one at once, not when its lease ends. */
  async #callRoll(connection: RedisConnection): Promise<void> {
    const missing = await this.#rollCall.missing(this.#circle.others, async () => {
      const heardBy = await this.#publish(connection, { kind: "who", from: this.#id });
      return Number(heardBy) - (this.#link.isListening ? 1 : 0);
    });
    if (missing.length > 0) await this.#circle.declareDead(connection, missing);
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

  /** One look at Redis, and at what others do. Returns whether another one is needed at once. */
  async #round(): Promise<boolean> {
    try {
      const { connection, hasLapsed, hasGaps } = await this.#enlist();
      if (this.#outage.end() || hasLapsed) this.#listener?.onRecovered();
      if (await this.#tellOfDeaths(connection)) {
        // The others start as soon as they have heard and looked themselves.
        this.#options.clock.after(SHARE_MS, () => this.#takeover.want("owned"));
      } else if (hasGaps) this.#takeover.want("owned");
      else if (this.#isShared) this.#takeover.resume();
      return this.#proof.isStopped;
    } catch (error) {
      if (!this.#isClosed) this.#outage.begin(error);
      // Another server may be behind the same address by now, and then it is the better one.
      if (error instanceof RedisRefusal) this.#link.dropCommands();
      throw error;
    }
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

  #tick(): void {
    if (this.#isClosed) return;
    if (this.#proof.isStopped) this.#rounds.want();
    this.#cancelTick = this.#options.clock.after(this.#times.tickMs, () => this.#tick());
  }

  #onBroken(which: "commands" | "messages"): void {
    if (this.#isClosed || this.#isShared === undefined) return;
    if (which === "commands") {
      const what = `the connection to Redis at ${this.#place} has broken`;
      this.#outage.begin(new StoreError("tcp", what));
    }
    this.#rounds.want();
  }

  async #dropLost(
    connection: RedisConnection,
    where: Parameters<RedisJobs["findLost"]>[1],
  ): Promise<void> {
    const lost = await this.#jobs.findLost(connection, where);
    if (lost.length > 0) this.#listener?.onLost(lost);
  }

  #scheduleScan(): void {
    if (this.#isClosed) return;
    this.#scans++;
    this.#cancelScan = this.#options.clock.after(this.#times.scanMs, () => this.#scan());
  }

  /** Looks for jobs that another program has written while this one runs. */
  async #scan(): Promise<void> {
    const connection = this.#link.commands;
    if (this.#isShared && this.#outage.error === undefined && connection !== undefined) {
      try {
        const [jobs, owners] = await Promise.all(
          [JOBS_KEY, OWNERS_KEY].map((key) => connection.call("HLEN", key)),
        );
        if (jobs !== owners || this.#scans % FULL_SCAN_EVERY === 0) this.#takeover.want("all");
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
      case "who":
        this.#answer(message.from);
        break;
      case "here":
        if (message.to === this.#id) this.#rollCall.answer(message.from);
        break;
      case "came":
        // It may be told of events before this one has looked.
        this.#circle.greet(message.from);
        this.#rounds.want();
        break;
      case "gone":
        this.#knownDead.add(message.from);
        this.#takeover.note("owned");
        this.#rounds.want();
    }
  }

  async #answer(to: string): Promise<void> {
    try {
      await this.#publish(this.#usable(), { kind: "here", from: this.#id, to });
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** The message may be old or forged: Redis is asked. */
  async #onLostMessage(fields: readonly string[]): Promise<void> {
    try {
      await this.#dropLost(this.#usable(), { fields: fields.slice(0, MAX_LOST_FIELDS) });
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  async write(changes: readonly JobChange[]): Promise<readonly ChangeResult[]> {
    if (changes.length === 0) return [];
    await this.#outage.waitForEnd(this.#times.commandMs);
    try {
      return await this.#jobs.write(this.#usable(), changes, this.#isShared === true);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** @throws {StoreError} While Redis cannot be used. */
  #usable(): RedisConnection {
    const connection = this.#link.commands;
    if (this.#outage.error === undefined && connection !== undefined) return connection;
    throw this.#outage.error ?? new StoreError("tcp", "there is no connection to Redis");
  }

  /** A command has failed; whether that is an outage says its error. */
  #noteFailure(error: unknown): void {
    if (this.#isClosed || error === this.#outage.error) return;
    // Full memory and the like keep a change from being made, and nothing else.
    const refused = error instanceof RedisRefusal;
    if (refused && !["READONLY", "MASTERDOWN", "NOAUTH", "LOADING"].includes(error.code)) return;
    this.#outage.begin(error);
    if (refused) this.#link.dropCommands();
    this.#rounds.want();
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
    if (this.#proof.isStopped) this.#rounds.want();
    return this.#proof.mayAct(act, this.#circle.others.size > 0);
  }

  fallsToThis(task: string): boolean {
    return replicaForTask(task, [this.#id, ...this.#circle.others]) === this.#id;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const connection = this.#outage.error === undefined ? this.#link.commands : undefined;
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
    this.#rounds.stop();
    this.#cancelTick();
    this.#cancelScan();
    this.#takeover.stop();
  }

  #end(): void {
    this.#stop();
    this.#link.close();
  }
}
