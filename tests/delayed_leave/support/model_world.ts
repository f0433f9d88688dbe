// A world of users, an SFU, a homeserver and the service in its midst, all on one clock that a
// test moves. It watches what the service does, and says at once when that is wrong.

import type { Clock } from "../../../lib/clock.ts";
import type { Job, StoredJob } from "../../../lib/delayed_leave/job.ts";
import type { JobStore } from "../../../lib/delayed_leave/store.ts";
import type { SfuEvent } from "../../../lib/sfu/sfu_event.ts";
import { Secret } from "../../../lib/secret.ts";
import { hashedIdentity, legacyIdentity, liveKitRoom } from "../../../lib/signing/names.ts";
import { createManualClock } from "../../support/manual_clock.ts";
import type { StoreMode } from "./faulty_store.ts";
import {
  createModelHomeserver,
  type HomeserverAttempt,
  type HomeserverMode,
} from "./model_homeserver.ts";
import { createModelProcess, type ModelProcess, SERVER_NAME } from "./model_process.ts";
import { createModelSfu, type Session, type SfuMode } from "./model_sfu.ts";
import { settle } from "./settle.ts";

/** Where processes of a world keep their jobs, one after the other. */
export interface ModelPlace extends AsyncDisposable {
  /** Whether jobs outlive the process. */
  readonly isLasting: boolean;
  /** Makes a store, while no other is open. */
  open(clock: Clock): JobStore;
}

/** `late` ones overtake each other; `twice` ones come again later. */
export type WebhookMode = "prompt" | "late" | "twice" | "dropped";

/**
 * What happens next. Clients are numbers; what makes no sense for one at the moment is left out.
 * Faults last for so many milliseconds.
 */
export type Step =
  | { readonly kind: "wait"; readonly ms: number }
  | {
    readonly kind: "enter";
    readonly client: number;
    readonly delayMs: number;
    readonly first: "delegate" | "join";
    readonly gapMs: number;
    /** Which of the client's identities. */
    readonly joinAs: 0 | 1;
    readonly delegateAs: 0 | 1;
    /** Whether the homeserver passes the hand-over on. */
    readonly isProxied: boolean;
  }
  | { readonly kind: "hang up"; readonly client: number }
  | { readonly kind: "die"; readonly client: number }
  | { readonly kind: "reconnect"; readonly client: number }
  | { readonly kind: "abort"; readonly client: number; readonly reason: string }
  | { readonly kind: "kick"; readonly client: number }
  | {
    readonly kind: "drop";
    readonly client: number;
    readonly reason: string;
    /** How soon the client is back. */
    readonly gapMs: number;
  }
  | { readonly kind: "migrate"; readonly client: number; readonly keepsSid: boolean }
  | {
    readonly kind: "renew";
    readonly client: number;
    readonly delayMs: number;
    readonly delegateAs: 0 | 1;
    readonly isProxied: boolean;
    /** Then it is handed over the way it was. */
    readonly isSameEvent: boolean;
  }
  | { readonly kind: "sfu"; readonly mode: SfuMode; readonly ms: number }
  | { readonly kind: "sfu crashes"; readonly ms: number }
  | { readonly kind: "webhooks"; readonly mode: WebhookMode; readonly ms: number }
  | { readonly kind: "homeserver"; readonly mode: HomeserverMode; readonly ms: number }
  | { readonly kind: "store"; readonly mode: StoreMode; readonly ms: number }
  | { readonly kind: "service crashes" }
  | { readonly kind: "service stops" }
  | { readonly kind: "service starts" };

/** What a world is like. */
export interface ModelWorldOptions {
  readonly place: ModelPlace;
  /** Decides what is left to chance. */
  readonly seed: number;
}

interface Client {
  readonly room: Job["room"];
  readonly userId: string;
  readonly identities: readonly [Job["identity"], Job["identity"]];
  /** The connection, as the client sees it. */
  session: Session | undefined;
  /** A connection of which only the SFU does not know yet that it is dead. */
  dead: Session | undefined;
  joinAs: 0 | 1;
  /** When the last connection was no longer in the SFU's list. */
  goneAt: number;
  events: LeaveEvent[];
}

/** A delayed leave event, and what is known of its delegation. */
interface LeaveEvent {
  readonly id: string;
  readonly client: Client;
  readonly delayMs: number;
  readonly isProxied: boolean;
  delegation: "under way" | "kept" | "failed" | "unknown" | "superseded";
  /** When the delegation became what it is. */
  since: number;
  keyIdentity: string;
  /** When the first one began, and the last one that was kept. */
  delegatedAt: number;
  startedAt: number;
  /** The user has hung up: it may be sent, whoever is there. */
  isAnnounced: boolean;
  /** A webhook of a time before the delegation has come after it. */
  isConfused: boolean;
  wasJoined: boolean;
  /** Not every connection gets as far as the call. */
  wasActive: boolean;
  /**
   * When it was restarted last with somebody there; that much the store knows as well. Of events
   * that are restarted anyway: when the store was told so last.
   */
  restartedAt: number;
  /** When a connection ended last that had not got as far as the call. */
  abortedAt: number;
  /**
   * Whether nobody was told of the last restart, or the store was not before a crash. A homeserver that restarts an event for its whole
   * delay and never says so has it given up: then only its own timer is left.
   */
  isDoubtful: boolean;
  /** The participant was lost in a crash of the SFU, and has until then to come back. */
  graceUntil: number;
  firstSendAt: number | undefined;
  /** Webhooks are believed by who has never had an answer from the SFU. */
  isHearsay: boolean;
}

const CLIENTS: readonly [string, string][] = [["alice", "one"], ["bob", "one"], ["carol", "two"]];
/** How many clients there are. */
export const CLIENT_COUNT = CLIENTS.length;
const INTERVAL_MS = 10_000;
const DELEGATE_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 4_000;
/** When the SFU finds out that somebody is dead. */
const DEATH_MS = 21_000;
/** How long clients take to find out that the SFU is back, and how long they try at most. */
const MOST_AWAY_MS = 20_000;
const GIVE_UP_MS = 25_000;
const GRACE_MS = 29_000;
/** The same with a service that was not there. */
const EARLIER_GRACE_MS = 4_500;
/** Whoever is back within this time is missed by nobody. */
const MISSED_MS = 450;
const WEBHOOK_MS = 20;
const LATE_WEBHOOK_MS = 8_000;
const WEBHOOK_RETRIES_MS = [1_000, 2_000, 4_000, 8_000];
/** What was kept no longer ago than this may be lost in a crash. */
const UNWRITTEN_MS = 1_000;
/** How long participants are awaited whose homeserver has passed the hand-over on. */
const PROXIED_WAIT_MS = 600_000;
/** A hand-over may come a moment before the delay ends, and its restart after that. */
const HAND_OVER_MS = 1_000;
/** More than all that finds out about absences takes, but for the longest delays. */
const QUIET_MS = 150_000;
const TIMERS_PER_JOB = 8;
const TIMERS_BESIDE = 24;

/** The world. */
export class ModelWorld {
  readonly clock = createManualClock();
  readonly homeserver = createModelHomeserver(this.clock);
  readonly sfu = createModelSfu(this.clock);
  readonly #place: ModelPlace;
  readonly #random: () => number;
  readonly #clients: readonly Client[];
  readonly #events = new Map<string, LeaveEvent>();
  readonly #processes = new Map<number, ModelProcess>();
  #process: ModelProcess | undefined;
  #webhooks: WebhookMode = "prompt";
  #store: StoreMode = "well";
  /** When each kind of trouble was last; now, while it lasts. */
  readonly #troubleAt = { acting: -Infinity, seeing: -Infinity, storing: -Infinity };
  readonly #healing = new Map<string, () => void>();
  #lastEvent = 0;
  readonly #story: string[] = [];
  /** For the story, in which what goes on as before is left out. */
  readonly #lastAnswers = new Map<string, string>();
  readonly #wrong: string[] = [];

  constructor(options: ModelWorldOptions) {
    this.#place = options.place;
    this.#random = createRandom(options.seed);
    this.#clients = CLIENTS.map(([user, room]): Client => {
      const userId = `@${user}:${SERVER_NAME}`;
      const client: Client = {
        room: liveKitRoom(`!${room}:${SERVER_NAME}`, "m.call#ROOM"),
        userId,
        identities: [hashedIdentity(userId, "DEVICE", "member"), legacyIdentity(userId, "DEVICE")],
        session: undefined,
        dead: undefined,
        joinAs: 0,
        goneAt: -Infinity,
        events: [],
      };
      for (const identity of client.identities) this.sfu.noteAbsence(client.room, identity);
      return client;
    });
    this.homeserver.onAttempt = (attempt) => this.#onAttempt(attempt);
    this.homeserver.onFired = (delayId) => this.#onFired(this.#events.get(delayId)!);
    this.sfu.onCall = (name, answer) => {
      if (this.#lastAnswers.get(name) !== answer) this.#tell(`${name}: ${answer}`);
      this.#lastAnswers.set(name, answer);
    };
    this.sfu.onEvent = (event) => this.#onSfuEvent(event);
  }

  /** Lives through some steps, and through enough time after them for everything to come right. */
  async run(steps: readonly Step[]): Promise<void> {
    await this.#startProcess();
    for (const step of steps) {
      this.#tell(JSON.stringify(step));
      this.#lastAnswers.clear();
      await this.#take(step);
      await this.#settle();
    }
    await this.#comeRight();
  }

  // --- Time

  async #pass(ms: number): Promise<void> {
    const { clock } = this;
    const end = clock.monotonic() + ms;
    await this.#settle();
    for (let next = clock.pending[0]; next !== undefined; next = clock.pending[0]) {
      if (clock.monotonic() + next > end) break;
      clock.advance(next);
      await this.#settle();
    }
    clock.advance(end - clock.monotonic());
    await this.#settle();
  }

  async #settle(): Promise<void> {
    do await settle(); while ((this.#process?.storeCalls ?? 0) > 0);
    this.#noteTrouble();
    const process = this.#process;
    if (process !== undefined) {
      const most = TIMERS_BESIDE + TIMERS_PER_JOB * process.jobs;
      if (process.timers > most) this.#blame(`${process.timers} timers for ${process.jobs} jobs`);
    }
    if (this.#wrong.length > 0) throw new Error([...this.#wrong, ...this.#story].join("\n"));
  }

  #noteTrouble(): void {
    const now = this.clock.monotonic();
    if (this.homeserver.mode !== "well" || this.#process === undefined) {
      this.#troubleAt.acting = now;
    }
    if (this.sfu.mode !== "up" || this.sfu.isDown || this.#webhooks !== "prompt") {
      this.#troubleAt.seeing = now;
    }
    if (this.#store !== "well") this.#troubleAt.storing = now;
  }

  #tell(text: string): void {
    this.#story.push(`${this.clock.monotonic().toString().padStart(9)} ${text}`);
  }

  #blame(text: string): void {
    this.#tell(`WRONG: ${text}`);
    this.#wrong.push(text);
  }

  // --- Steps

  async #take(step: Step): Promise<void> {
    this.#noteTrouble();
    switch (step.kind) {
      case "wait":
        return await this.#pass(step.ms);
      case "sfu":
        this.sfu.mode = step.mode;
        return this.#heal("sfu", step.ms, () => this.sfu.mode = "up");
      case "sfu crashes":
        return this.#crashSfu(step.ms);
      case "webhooks":
        this.#webhooks = step.mode;
        return this.#heal("webhooks", step.ms, () => this.#webhooks = "prompt");
      case "homeserver":
        this.homeserver.mode = step.mode;
        return this.#heal("homeserver", step.ms, () => this.homeserver.mode = "well");
      case "store":
        this.#store = step.mode;
        return this.#heal("store", step.ms, () => this.#store = "well");
      case "service crashes":
        return await this.#endProcess((process) => process.kill());
      case "service stops":
        return await this.#stopProcess();
      case "service starts":
        return await this.#startProcess();
    }
    const client = this.#clients[step.client % CLIENT_COUNT]!;
    const { session } = client;
    switch (step.kind) {
      case "enter":
        if (session === undefined && this.#process !== undefined) this.#enter(client, step);
        return;
      case "hang up":
        if (session === undefined) return;
        for (const event of client.events) event.isAnnounced = true;
        client.session = undefined;
        this.sfu.end(session, "CLIENT_INITIATED");
        return;
      case "die":
        if (session === undefined) return;
        client.session = undefined;
        client.dead = session;
        this.clock.after(DEATH_MS, () => this.sfu.end(session, "CONNECTION_TIMEOUT"));
        return;
      case "reconnect":
        if (client.events.length > 0) this.#join(client);
        return;
      case "abort":
        if (session !== undefined || client.events.length === 0) return;
        this.#join(client);
        this.#abort(client, step.reason);
        return;
      case "kick":
        if (session === undefined) return;
        client.session = undefined;
        this.sfu.end(session, "PARTICIPANT_REMOVED");
        return;
      case "drop":
        if (session?.isActive !== true) return;
        this.sfu.end(session, step.reason);
        this.clock.after(step.gapMs, () => {
          if (client.session === undefined) this.#join(client);
        });
        return;
      case "migrate": {
        if (session?.isActive !== true || !this.sfu.isListed(session)) return;
        this.sfu.end(session, "MIGRATION");
        const { sid } = session;
        this.clock.after(80, () => {
          if (client.session === session) this.#join(client, step.keepsSid ? sid : undefined);
        });
        return;
      }
      case "renew": {
        const last = client.events.at(-1);
        if (session === undefined || this.#process === undefined) return;
        if (step.isSameEvent && last?.delegation === "kept") this.#delegate(last, step.delegateAs);
        else this.#delegate(this.#schedule(client, step), step.delegateAs);
      }
    }
  }

  /** A fault ends, unless another one has taken its place. */
  #heal(what: string, ms: number, end: () => void): void {
    this.#healing.get(what)?.();
    const cancel = this.clock.after(ms, () => {
      this.#noteTrouble();
      end();
      this.#tell(`${what} works again`);
    });
    this.#healing.set(what, cancel);
  }

  #enter(client: Client, step: Step & { kind: "enter" }): void {
    client.joinAs = step.joinAs;
    // Whoever enters anew has nothing to do with what was.
    for (const event of client.events) event.isAnnounced = true;
    const event = this.#schedule(client, step);
    const join = () => {
      this.sfu.createRoom(client.room);
      this.#join(client);
    };
    const delegate = () => this.#delegate(event, step.delegateAs);
    const [first, second] = step.first === "join" ? [join, delegate] : [delegate, join];
    first();
    this.clock.after(step.gapMs, () => {
      if (this.#process !== undefined && client.events.at(-1) === event) second();
    });
  }

  #schedule(client: Client, { delayMs, isProxied }: Pick<LeaveEvent, "delayMs" | "isProxied">) {
    const event: LeaveEvent = {
      id: `event-${++this.#lastEvent}`,
      client,
      delayMs,
      isProxied,
      delegation: "under way",
      since: this.clock.monotonic(),
      keyIdentity: "",
      delegatedAt: Infinity,
      startedAt: Infinity,
      isAnnounced: false,
      isConfused: false,
      wasJoined: client.session !== undefined,
      wasActive: client.session?.isActive === true,
      restartedAt: -Infinity,
      abortedAt: -Infinity,
      isDoubtful: false,
      graceUntil: -Infinity,
      firstSendAt: undefined,
      isHearsay: false,
    };
    client.events.push(event);
    this.#events.set(event.id, event);
    this.homeserver.schedule(event.id, delayMs);
    return event;
  }

  #delegate(event: LeaveEvent, as: 0 | 1): void {
    const { client } = event;
    const process = this.#process;
    if (process === undefined) return;
    const identity = client.identities[as];
    const wasKept = event.delegation === "kept";
    event.delegatedAt = Math.min(event.delegatedAt, this.clock.monotonic());
    const startedAt = this.clock.monotonic();
    const settleAs = (delegation: LeaveEvent["delegation"]) => {
      event.delegation = delegation;
      event.since = this.clock.monotonic();
    };
    process.delegate(
      {
        room: client.room,
        identity,
        otherIdentity: client.identities[1 - as]!,
        delayId: new Secret(event.id),
        delayTimeoutMs: event.delayMs,
        serverName: SERVER_NAME,
        userId: client.userId,
        ...(event.isProxied && { isThroughHomeserver: true }),
      },
      DELEGATE_TIMEOUT_MS,
    ).then(() => {
      this.#tell(`${event.id} is delegated`);
      settleAs("kept");
      event.startedAt = startedAt;
      // The new job has not seen anybody yet.
      event.restartedAt = -Infinity;
      event.graceUntil = -Infinity;
      event.keyIdentity = identity;
      for (const other of client.events) {
        if (other === event || other.delegation !== "kept") continue;
        if (other.keyIdentity !== identity || other.startedAt > startedAt) continue;
        other.delegation = "superseded";
        other.since = this.clock.monotonic();
      }
    }, (error) => {
      this.#tell(`${event.id} is not delegated: ${error.message}`);
      if (wasKept) return;
      settleAs("failed");
      this.homeserver.cancel(event.id);
    });
  }

  #join(client: Client, sid?: string): void {
    const session = this.sfu.join(client.room, client.identities[client.joinAs], sid);
    if (session === undefined) return;
    client.session = session;
    client.dead = undefined;
    for (const event of client.events) event.wasJoined = true;
    this.#tell(`${client.userId} joins as ${session.sid}`);
  }

  #abort(client: Client, reason: string): void {
    const { session } = client;
    if (session === undefined) return;
    client.session = undefined;
    client.dead = session;
    this.clock.after(30, () => this.sfu.end(session, reason));
  }

  #crashSfu(ms: number): void {
    const lost = this.#clients.filter(({ session }) => session !== undefined);
    const listed = this.#clients.filter((client) => this.#listed(client) !== undefined);
    for (const client of listed) client.goneAt = this.clock.monotonic();
    this.sfu.crash(ms);
    for (const event of this.#events.values()) {
      // Of another crash so soon, when nobody is back yet, the service may not get to know.
      const graceUntil = this.clock.monotonic() + ms + GRACE_MS;
      event.graceUntil = Math.min(event.graceUntil, graceUntil);
    }
    // Who has only been heard of is not known to be on the way back.
    const isKnown = this.#process === undefined || this.#process.hasHeardOfSfu;
    const giveUpAt = this.clock.monotonic() + ms + GIVE_UP_MS;
    for (const client of lost) {
      const before = client.session;
      for (const event of client.events) {
        const wasSeen = event.restartedAt >= (before?.since ?? Infinity);
        const isInGrace = event.graceUntil > this.clock.monotonic();
        // Who is not back from an earlier crash is not missed because of this one.
        const isMissed = listed.includes(client) && !isInGrace && !event.isAnnounced;
        if (isKnown && wasSeen && isMissed) {
          event.graceUntil = this.clock.monotonic() + ms + GRACE_MS;
        }
      }
      const comeBack = () => {
        if (client.session !== before) return;
        if (this.clock.monotonic() > giveUpAt) client.session = undefined;
        else {
          this.#join(client);
          if (client.session === before) this.clock.after(1_000, comeBack);
        }
      };
      this.clock.after(ms + Math.floor(this.#random() * MOST_AWAY_MS), comeBack);
    }
  }

  async #startProcess(): Promise<void> {
    if (this.#process !== undefined) return;
    const process = createModelProcess({
      id: this.#processes.size + 1,
      clock: this.clock,
      random: this.#random,
      homeserver: this.homeserver,
      sfu: this.sfu,
      store: this.#place.open(this.clock),
      storeMode: () => this.#store,
      onKept: ({ job, wasConnected }) => {
        const event = this.#events.get(job.delayId.reveal())!;
        if (event.isProxied) event.restartedAt = wasConnected ? this.clock.monotonic() : -Infinity;
      },
      intervalMs: INTERVAL_MS,
    });
    this.#processes.set(process.id, process);
    await process.start();
    for (const event of this.#events.values()) {
      // Where there is a room again, nobody can tell that there was another one before.
      const isLost = !this.sfu.hasRoom(event.client.room);
      const graceUntil = isLost ? this.clock.monotonic() + EARLIER_GRACE_MS : -Infinity;
      event.graceUntil = Math.min(event.graceUntil, graceUntil);
    }
    this.#process = process;
  }

  async #endProcess(end: (process: ModelProcess) => Promise<void>): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    this.#noteTrouble();
    const now = this.clock.monotonic();
    process.endedAt = now;
    this.#process = undefined;
    await end(process);
    const wasStoring = this.#troubleAt.storing;
    for (const event of this.#events.values()) {
      // Whether it is kept, nobody knows; nor whether what it was to replace is.
      if (event.delegation === "under way" && event.delegatedAt < Infinity) {
        for (const { delegation } of event.client.events) {
          if (delegation === "kept") this.#forget(event.client);
        }
        event.delegation = "unknown";
      }
      if (event.delegation === "kept" && !this.#place.isLasting) event.delegation = "unknown";
      // What the store has kept without saying so it can only be told to forget while there is time.
      if (event.delegation === "failed" && wasStoring >= event.since - DELEGATE_TIMEOUT_MS) {
        event.delegation = "unknown";
      }
      const startedAt = this.homeserver.startedAt(event.id);
      if (startedAt > now - UNWRITTEN_MS || wasStoring >= startedAt) event.isDoubtful = true;
      if (event.restartedAt > now - UNWRITTEN_MS || wasStoring >= event.restartedAt) {
        event.restartedAt = -Infinity;
      }
    }
  }

  #forget(client: Client): void {
    for (const event of client.events) {
      if (event.delegation === "kept") event.delegation = "unknown";
    }
  }

  async #stopProcess(): Promise<void> {
    const process = this.#process;
    if (process === undefined) return;
    await this.#endProcess(async () => {
      const closing = process.close(CLOSE_TIMEOUT_MS);
      let isClosed = false;
      void closing.then(() => isClosed = true);
      await settle();
      for (let waited = 0; !isClosed && waited <= CLOSE_TIMEOUT_MS; waited += 100) {
        this.clock.advance(100);
        do await settle(); while (process.storeCalls > 0);
      }
      if (!isClosed) this.#blame("the service does not stop");
      await closing;
    });
  }

  // --- The SFU's webhooks

  #onSfuEvent(event: SfuEvent): void {
    const { participant, room } = event;
    const client = this.#clients.find((client) =>
      client.room === room && client.identities.some((own) => own === participant?.identity)
    );
    if (participant !== undefined && client !== undefined) {
      if (event.event === "participant_joined") {
        for (const event of client.events) event.wasActive = true;
      } else {
        if (event.event === "participant_connection_aborted") this.#noteAborted(client);
        client.goneAt = this.clock.monotonic();
        if (client.session?.sid === participant.sid && event.disconnectReason !== "MIGRATION") {
          client.session = undefined;
        }
      }
    }
    const createdAt = this.clock.monotonic();
    const deliver = (ms: number) =>
      void this.clock.after(ms, () => this.#deliver(event, createdAt, 0));
    this.#tell(
      `webhook ${event.event} ${
        participant?.sid ?? ""
      } ${event.disconnectReason}: ${this.#webhooks}`,
    );
    switch (this.#webhooks) {
      case "dropped":
        return;
      case "late":
        return deliver(Math.floor(this.#random() * LATE_WEBHOOK_MS));
      case "twice":
        deliver(Math.floor(this.#random() * LATE_WEBHOOK_MS));
        // falls through
      case "prompt":
        deliver(WEBHOOK_MS);
    }
  }

  /** It was seen, maybe, but if nobody was in the call before, the service waits for the next one. */
  #noteAborted(client: Client): void {
    for (const event of client.events) {
      event.abortedAt = this.clock.monotonic();
      if (!event.wasActive) event.restartedAt = -Infinity;
    }
  }

  #deliver(event: SfuEvent, createdAt: number, tries: number): void {
    const again = () => {
      const ms = WEBHOOK_RETRIES_MS[tries];
      if (ms === undefined) this.#troubleAt.seeing = this.clock.monotonic();
      else this.clock.after(ms, () => this.#deliver(event, createdAt, tries + 1));
    };
    this.#troubleAt.seeing = Math.max(this.#troubleAt.seeing, tries === 0 ? -Infinity : createdAt);
    if (this.#process === undefined || this.sfu.mode === "unreachable" || this.sfu.isDown) {
      return again();
    }
    for (const { client, delegatedAt, ...leave } of this.#events.values()) {
      const isTheirs = client.room === event.room &&
        client.identities.some((identity) => identity === event.participant?.identity);
      if (isTheirs && createdAt < delegatedAt && delegatedAt < Infinity) {
        this.#events.get(leave.id)!.isConfused = true;
      }
    }
    this.#process.deliver(event).catch(again);
  }

  // --- What must hold

  #listed(client: Client): Session | undefined {
    return [client.session, client.dead].find((session) =>
      session !== undefined && this.sfu.isListed(session)
    );
  }

  #onAttempt(attempt: HomeserverAttempt): void {
    const event = this.#events.get(attempt.delayId)!;
    const now = this.clock.monotonic();
    const process = this.#processes.get(attempt.caller)!;
    this.#tell(`${attempt.act} ${event.id} by ${attempt.caller}: ${attempt.status}`);
    if (attempt.asUser !== (event.isProxied ? event.client.userId : undefined)) {
      this.#blame(`a call for ${event.id} in the name of ${attempt.asUser}`);
    }
    if (event.delegation === "superseded" && now > event.since + 10) {
      this.#blame(`a call for ${event.id}, which has been replaced`);
    }
    if (event.delegation === "failed" && now > event.since + 10 && process === this.#process) {
      this.#blame(`a call for ${event.id}, which could not be kept`);
    }
    if (attempt.act === "restart") {
      const { session } = event.client;
      const isThere = event.wasJoined || this.#listed(event.client) !== undefined;
      // It is taken for the one that the event is for, even if it is an earlier one that is dead.
      if (isThere) {
        event.wasJoined = true;
        event.wasActive ||= this.#listed(event.client)?.isActive === true;
      } else if (!event.isConfused && !event.isProxied) {
        this.#blame(`a restart of ${event.id} before anybody joined`);
      }
      if (event.isProxied) {
        if (attempt.status === 200) event.isDoubtful = this.homeserver.mode === "mute";
      } else if (attempt.status === 200 && session !== undefined) {
        event.restartedAt = now;
        event.isDoubtful = this.homeserver.mode === "mute";
      }
    } else this.#onSend(attempt, event, process);
  }

  #onSend(attempt: HomeserverAttempt, event: LeaveEvent, process: ModelProcess): void {
    const now = this.clock.monotonic();
    for (const earlier of this.homeserver.attempts) {
      if (earlier === attempt || earlier.delayId !== event.id || earlier.act !== "send") continue;
      if (earlier.answeredAt === undefined || ![200, 404].includes(earlier.status)) continue;
      // An event can be handed over again, even one that has been sent.
      if (earlier.at < event.since) continue;
      const sender = this.#processes.get(earlier.caller)!;
      const isExcused = sender !== process &&
        (earlier.answeredAt > (sender.endedAt ?? Infinity) - UNWRITTEN_MS ||
          this.#troubleAt.storing >= earlier.answeredAt);
      if (!isExcused) this.#blame(`${event.id} is sent once more`);
    }
    const isFirst = event.firstSendAt === undefined;
    event.firstSendAt ??= now;
    if (isFirst) event.isHearsay = !process.hasHeardOfSfu;
    // What is no more does no harm.
    const isAlive = attempt.status === 200 || this.homeserver.isAlive(event.id);
    if (!isAlive || event.isAnnounced || event.isConfused) return;
    if (isFirst && now < event.graceUntil) this.#blame(`${event.id} is sent within the grace`);
    const waitMs = event.isProxied ? PROXIED_WAIT_MS : event.delayMs;
    const isEarly = now < event.delegatedAt + waitMs - 10;
    // After a restart of the service, having been seen counts as having been in the call.
    const wasTrouble = Math.max(this.#troubleAt.seeing, this.#troubleAt.acting) >=
      event.delegatedAt;
    if (isEarly && !event.wasActive && !wasTrouble) {
      this.#blame(`${event.id} is sent before anybody was in the call`);
    }
    const { client } = event;
    const session = this.#listed(client);
    if (session === undefined) return;
    // Nobody can know of one who has come since the SFU was asked.
    const toldAt = Math.min(
      ...client.identities.map((identity) => this.sfu.absenceToldAt(client.room, identity)),
    );
    const isNews = toldAt >= client.goneAt && toldAt <= session.since &&
      session.since - client.goneAt > MISSED_MS;
    if (isNews || event.isHearsay || session.since > event.firstSendAt) return;
    this.#blame(`${event.id} is sent while ${session.sid} is there`);
  }

  #onFired(event: LeaveEvent): void {
    const now = this.clock.monotonic();
    this.#tell(`${event.id} fires by itself`);
    const { session } = event.client;
    if (event.delegation !== "kept") return;
    const startedAt = this.homeserver.startedAt(event.id);
    this.#noteTrouble();
    if (event.isDoubtful) return;
    // Half of the delay is enough for a restart.
    const enoughMs = Math.max(event.delayMs / 2, 1_500);
    if (this.#troubleAt.acting >= Math.max(startedAt, now - enoughMs)) return;
    if (event.isProxied) {
      // It is kept alive until it is sent, whoever is there.
      if (event.since < now - HAND_OVER_MS) this.#blame(`${event.id} fires all the same`);
      return;
    }
    if (event.isAnnounced || session === undefined) return;
    if (!session.isActive || !this.sfu.isListed(session) || session.since > now - 1_000) return;
    const isUnseen = event.restartedAt < session.since;
    if (isUnseen && this.#troubleAt.seeing >= Math.min(session.since, startedAt)) return;
    this.#blame(`${event.id} fires although ${session.sid} is there`);
  }

  async #comeRight(): Promise<void> {
    this.#tell("everything works again");
    this.#noteTrouble();
    for (const cancel of this.#healing.values()) cancel();
    this.sfu.mode = "up";
    this.homeserver.mode = "well";
    this.#webhooks = "prompt";
    this.#store = "well";
    await this.#startProcess();
    await this.#pass(QUIET_MS);
    for (const event of this.#events.values()) this.#checkNoGhost(event);
    await this.#settle();
    const longest = Math.max(
      0,
      ...[...this.#events.values()].map(({ delayMs, isProxied }) =>
        isProxied ? Math.max(delayMs, PROXIED_WAIT_MS) : delayMs
      ),
    );
    await this.#pass(longest + 70_000);
    this.#checkJobs(this.#process!.jobs);
    if (this.#process!.jobs === 0 && this.#process!.timers > 0) {
      this.#blame(`${this.#process!.timers} timers without a job`);
    }
    await this.#settle();
    await this.#stopProcess();
    if (this.#place.isLasting) await this.#checkKept();
    await this.#settle();
  }

  /** Whoever was in the call and is gone has left by now, however long the delay. */
  #checkNoGhost(event: LeaveEvent): void {
    if (event.delegation !== "kept" || event.restartedAt === -Infinity) return;
    if (event.isDoubtful) return;
    // Without the news of what came before, it looks like the first attempt.
    const { abortedAt, delegatedAt } = event;
    if (abortedAt >= delegatedAt && this.#troubleAt.seeing >= delegatedAt) return;
    if (this.#listed(event.client) !== undefined || !this.homeserver.isAlive(event.id)) return;
    this.#blame(`${event.client.userId} is gone, but ${event.id} has not been sent`);
  }

  #alive(delegation: LeaveEvent["delegation"]): LeaveEvent[] {
    return [...this.#events.values()].filter((event) =>
      event.delegation === delegation && this.homeserver.isAlive(event.id)
    );
  }

  #checkJobs(jobs: number): void {
    for (const event of this.#events.values()) {
      if (this.homeserver.isAlive(event.id) && this.#listed(event.client) === undefined) {
        this.#blame(`${event.id} is kept alive for nobody`);
      }
    }
    const least = this.#alive("kept").length;
    const most = least + this.#alive("unknown").length;
    if (jobs < least || jobs > most) {
      this.#blame(`${jobs} jobs for ${least} events that live, and ${most - least} that may`);
    }
  }

  async #checkKept(): Promise<void> {
    // Long ago nothing had expired yet.
    const store = this.#place.open({ ...this.clock, now: () => 0 });
    const kept: readonly StoredJob[] = await store.start({
      onEvent: () => {},
      onLost: () => {},
      onRecovered: () => {},
      onTaken: () => {},
    });
    await store.close();
    const ids = new Set(kept.map(({ job }) => job.delayId.reveal()));
    for (const { id } of this.#alive("kept")) {
      if (!ids.has(id)) this.#blame(`the store has forgotten ${id}`);
    }
    for (const id of ids) {
      if (!this.homeserver.isAlive(id)) this.#blame(`the store still has ${id}`);
    }
  }
}

/** Mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
