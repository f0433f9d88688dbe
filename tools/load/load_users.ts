import { Buffer } from "node:buffer";
import { DelayedEvents } from "./delayed_events.ts";
import type { SfuRooms } from "./sfu_rooms.ts";
import { prepareTokenRequests, type TokenPath } from "./token_requests.ts";
import { deliverWebhook, type Webhook, type WebhookKey, writeWebhook } from "./webhook.ts";
import { runWorkers } from "./workers.ts";

/** Which users there are, and which service they have. */
export interface LoadUsersOptions {
  /** How many. */
  users: number;
  /** How many share a room. */
  roomSize: number;
  /** Delay of everybody's leave event. */
  delayMs: number;
  /** Where tokens are asked for. */
  path: TokenPath;
  /** The users' server. */
  serverName: string;
  /** The service's port on 127.0.0.1. */
  port: number;
  /** What the SFU signs webhooks with. */
  key: WebhookKey;
}

/** One thing that all users do. */
export interface PhaseOptions {
  /** Connections to the service. */
  connections: number;
  /** Gives up after this long. */
  timeoutMs: number;
}

/** How joining went. */
export interface JoinReport {
  seconds: number;
  /** How many users got no token, by status of the answer. */
  refused: Record<string, number>;
  /** How many webhooks the service did not take, in five attempts each. */
  undelivered: number;
}

/** How leaving went. */
export interface LeaveReport {
  /** From the moment at which all left to the last webhook taken. */
  webhookSeconds: number;
  /** From the same moment to the last leave event sent; 0 if there was none. */
  lastSendSeconds: number;
  undelivered: number;
}

/** What the users live in. */
export interface LoadUsersDeps {
  rooms: SfuRooms;
  /** Milliseconds, monotonic; the clock of the delayed events. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

const POLL_MS = 25;
/** Whoever sends twice does so within this time. */
const SECOND_SEND_MS = 2000;

/** Users who join calls, stay there with a delegated leave, and hang up all at once. */
export class LoadUsers {
  readonly events: DelayedEvents;
  readonly #options: LoadUsersOptions;
  readonly #deps: LoadUsersDeps;
  /** Those in a call, by their numbers. */
  readonly #members = new Map<number, Omit<Webhook, "event">>();

  constructor(options: LoadUsersOptions, deps: LoadUsersDeps) {
    this.#options = options;
    this.#deps = deps;
    this.events = new DelayedEvents(options.users, options.delayMs);
  }

  /** Users in a call: those for whom the service has a job. */
  get present(): number {
    return this.#members.size;
  }

  /** Everybody schedules their leave, gets a token, connects to the SFU. */
  async join(phase: PhaseOptions): Promise<JoinReport> {
    const { users, roomSize, delayMs, path, serverName, port } = this.#options;
    const { now, rooms } = this.#deps;
    const requests = prepareTokenRequests({
      serverName,
      users,
      rooms: Math.ceil(users / roomSize),
      path,
      delayMs,
    });
    const report: JoinReport = { seconds: 0, refused: {}, undelivered: 0 };
    const start = now();
    await runWorkers({ port, count: users, ...phase }, async (user, exchange) => {
      const request = requests.createBuffer();
      requests.fill(request, user);
      this.events.schedule(user, now());
      const { status, text } = await exchange(request);
      if (status !== 200) {
        this.events.forget(user);
        report.refused[status] = (report.refused[status] ?? 0) + 1;
        return;
      }
      const { room, identity } = readJoinToken(text);
      const member = { room, identity, sid: rooms.join(room, identity) };
      this.#members.set(user, member);
      if (!await this.#tell({ event: "participant_joined", ...member }, exchange)) {
        report.undelivered++;
      }
    });
    report.seconds = (now() - start) / 1000;
    return report;
  }

  /** Everybody hangs up at once; waits until no leave can be sent any more, or the time is over. */
  async leave(phase: PhaseOptions): Promise<LeaveReport> {
    const { now, sleep, rooms } = this.#deps;
    const { users, port } = this.#options;
    const leaving = [...this.#members];
    const start = now();
    for (const [user, { room, identity }] of leaving) {
      rooms.leave(room, identity);
      this.events.leave(user, start);
    }
    this.#members.clear();
    const report: LeaveReport = { webhookSeconds: 0, lastSendSeconds: 0, undelivered: 0 };
    await runWorkers({ port, count: leaving.length, ...phase }, async (index, exchange) => {
      const [, member] = leaving[index]!;
      if (!await this.#tell({ event: "participant_left", ...member }, exchange)) {
        report.undelivered++;
      }
    });
    report.webhookSeconds = (now() - start) / 1000;
    while (this.events.countDue(now()) > 0 && now() - start < phase.timeoutMs) {
      // With many users the count takes a moment itself.
      await sleep(POLL_MS + users / 1000);
    }
    await sleep(SECOND_SEND_MS);
    report.lastSendSeconds = Math.max(0, this.events.lastSendAt - start || 0) / 1000;
    return report;
  }

  #tell(
    webhook: Webhook,
    exchange: (request: Uint8Array) => Promise<{ status: number }>,
  ): Promise<boolean> {
    const attempt = async () => {
      const request = writeWebhook(webhook, this.#options.key, Date.now());
      return (await exchange(request)).status;
    };
    return deliverWebhook(attempt, this.#deps.sleep);
  }
}

/** Room and identity are what the SFU would read from the token. */
function readJoinToken(answer: string): { room: string; identity: string } {
  const [, payload] = /"jwt":"[^".]+\.([^".]+)\./.exec(answer) ?? [];
  if (payload === undefined) throw new Error(`Answer without a token: ${answer}`);
  const { sub, video } = JSON.parse(Buffer.from(payload, "base64url").toString());
  return { room: video.room, identity: sub };
}
