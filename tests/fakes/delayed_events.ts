/** The delayed events of a fake homeserver, as Synapse 1.163 has them. */

import type { Clock } from "../../lib/clock.ts";
import { collectSecret } from "../support/evidence.ts";
import { Counter } from "./counter.ts";

/** What can be asked of a delayed event. */
export type DelayedAction = "send" | "restart" | "cancel";

/** A request that named a delayed event and an action, and how it was answered. */
export interface PerformedAction {
  readonly delayId: string;
  readonly action: DelayedAction;
  readonly status: number;
  /** Milliseconds of the clock's `monotonic`. */
  readonly at: number;
  /** In whose name the application service asked: its `user_id`, empty for none. Absent without token. */
  readonly asUser?: string;
}

/** A request to see a delayed event, and how it was answered. */
export interface DelayedEventLookup {
  readonly delayId: string;
  /** The `user_id` that came with it, empty for none. */
  readonly asUser: string;
  readonly status: number;
}

/** What a scheduled event is about. Only whose it is decides who may see it. */
export interface DelayedEventContent {
  /** The owner; nobody may see an event that has none. */
  readonly userId?: string;
  readonly roomId?: string;
  readonly type?: string;
  readonly stateKey?: string;
}

/** What has become of an event. */
export type DelayedEventState =
  | "scheduled"
  /** By an action. */
  | "sent"
  | "cancelled"
  /** Sent by the homeserver itself, at the end of the delay. */
  | "timed-out"
  | "unknown";

/** How the homeserver treats delayed events. All of it may be changed while it runs. */
export interface DelayedEventsSettings {
  /** Paths that are there; the others are answered `M_UNRECOGNIZED`. Synapse has the unstable ones. */
  paths: "unstable" | "stable" | "both" | "none";
  /** Actions a second, and how many at once, whoever they come from; no limit unless told. */
  rateLimit?: { perSecond: number; burst: number };
  /** Senders of these events may not send any more: 403 once, and the event is gone. */
  forbidden: Set<string>;
  /** The application service's token, the only one that is good; none is unless told. */
  asToken?: string;
  /** Whether the application service may ask in a user's name; it may for everybody unless told. */
  isInNamespace?(userId: string): boolean;
  /** Answers a request to see an event in place of the homeserver; `undefined` lets that answer. */
  answerLookup?(delayId: string, asUser: string): DelayedAnswer | undefined;
  /** Answers an action in place of the homeserver, which then does nothing; `undefined` lets it act. */
  fail?(action: DelayedAction, delayId: string): DelayedAnswer | undefined;
}

/** An answer, before it becomes HTTP. */
export interface DelayedAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: Record<string, unknown>;
}

/** The delayed events of one homeserver. */
export interface DelayedEvents {
  readonly settings: DelayedEventsSettings;
  /** Every action so far, oldest first. Tests may empty it. */
  readonly actions: PerformedAction[];
  /** Every request to see an event, with a good token, oldest first. Tests may empty it. */
  readonly lookups: DelayedEventLookup[];
  /** Schedules an event, as a client does. */
  schedule(delayId: string, delayMs: number, content?: DelayedEventContent): void;
  /** Lets the delay end now. */
  fire(delayId: string): void;
  state(delayId: string): DelayedEventState;
  /** How often an action on an event was answered so; with 200 unless told. */
  count(delayId: string, action: DelayedAction, status?: number): number;
  /** Resolves once so many actions have been answered in all. */
  performed(count: number): Promise<void>;
  /** Resolves once an event is no longer scheduled, with what became of it. */
  ended(delayId: string): Promise<DelayedEventState>;
  /** Performs an action without HTTP; `asUser` as in what is recorded of it. */
  act(delayId: string, action: DelayedAction, asUser?: string): DelayedAnswer;
  /** Answers a request for a delayed event; `undefined` for other requests. */
  respond(request: Request): Promise<DelayedAnswer | undefined>;
  /** Ends all timers. */
  close(): void;
}

interface Event {
  readonly delayMs: number;
  readonly content: DelayedEventContent;
  /** Milliseconds since the Unix epoch: when the delay began, or began anew. */
  since: number;
  state: DelayedEventState;
  cancelTimer: () => void;
}

const PATH =
  /^\/_matrix\/client\/(?:(v1)|unstable\/org\.matrix\.msc4140)\/delayed_events\/([^/]+)(?:\/([^/]+))?$/;
const ACTIONS: readonly string[] = ["send", "restart", "cancel"];
/** The runtime's timers overflow beyond this. */
const LONGEST_MS = 2 ** 31 - 1;

const realTime: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, action) {
    const timer = setTimeout(action, Math.min(ms, LONGEST_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * Makes the delayed events of a homeserver.
 *
 * @example Of an event that has been sent nothing is left
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createDelayedEvents } from "./delayed_events.ts";
 *
 * const events = createDelayedEvents();
 * events.schedule("id-1", 60_000);
 * assertEquals(events.act("id-1", "send").status, 200);
 * assertEquals(events.act("id-1", "send").body.errcode, "M_NOT_FOUND");
 * assertEquals(events.state("id-1"), "sent");
 * ```
 *
 * @param clock Ends the delays; real time unless told.
 */
export function createDelayedEvents(clock: Clock = realTime): DelayedEvents {
  const settings: DelayedEventsSettings = { paths: "unstable", forbidden: new Set() };
  const events = new Map<string, Event>();
  const actions: PerformedAction[] = [];
  const lookups: DelayedEventLookup[] = [];
  const performed = new Counter();
  const endings = new Map<string, PromiseWithResolvers<DelayedEventState>>();
  let bucket = { count: 0, since: 0 };

  function end(delayId: string, event: Event, state: DelayedEventState): void {
    event.cancelTimer();
    event.state = state;
    endings.get(delayId)?.resolve(state);
  }

  function start(delayId: string, event: Event): void {
    event.cancelTimer();
    event.since = clock.now();
    event.cancelTimer = clock.after(event.delayMs, () => end(delayId, event, "timed-out"));
  }

  /** Synapse's own arithmetic; a refused action does not count. */
  function limited(): DelayedAnswer | undefined {
    if (settings.rateLimit === undefined) return undefined;
    const { perSecond, burst } = settings.rateLimit;
    const now = clock.monotonic() / 1000;
    const level = bucket.count - (now - bucket.since) * perSecond;
    if (level < 0) bucket = { count: 0, since: now };
    if (level <= burst - 1) {
      bucket.count++;
      return undefined;
    }
    const ms = Math.ceil((bucket.since + (bucket.count - burst + 1) / perSecond - now) * 1000);
    const body = { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", retry_after_ms: ms };
    return { status: 429, headers: { "retry-after": String(Math.ceil(ms / 1000)) }, body };
  }

  function perform(delayId: string, action: DelayedAction): DelayedAnswer {
    collectSecret("delay ID", delayId);
    const failure = settings.fail?.(action, delayId) ?? limited();
    if (failure !== undefined) return failure;
    const event = events.get(delayId);
    if (event?.state !== "scheduled") {
      return matrixError(404, "M_NOT_FOUND", "Delayed event not found");
    }
    if (action === "send" && settings.forbidden.has(delayId)) {
      end(delayId, event, "cancelled");
      return matrixError(403, "M_FORBIDDEN", "User not in room");
    }
    if (action === "restart") start(delayId, event);
    else end(delayId, event, action === "send" ? "sent" : "cancelled");
    return { status: 200, body: {} };
  }

  function act(delayId: string, action: DelayedAction, asUser?: string): DelayedAnswer {
    const answer = perform(delayId, action);
    actions.push({
      delayId,
      action,
      status: answer.status,
      at: clock.monotonic(),
      ...(asUser !== undefined && { asUser }),
    });
    performed.increment();
    return answer;
  }

  /** @returns In whose name, empty for nobody's; `undefined` without token; or the refusal. */
  function authenticate(request: Request): string | undefined | DelayedAnswer {
    const authorization = request.headers.get("authorization");
    if (authorization === null) return undefined;
    if (settings.asToken === undefined || authorization !== `Bearer ${settings.asToken}`) {
      return matrixError(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.");
    }
    const userId = new URL(request.url).searchParams.get("user_id");
    if (userId !== null && settings.isInNamespace?.(userId) === false) {
      const error = "Application service cannot masquerade as this user";
      return matrixError(403, "M_FORBIDDEN", error);
    }
    return userId ?? "";
  }

  function look(delayId: string, asUser: string): DelayedAnswer {
    const event = events.get(delayId);
    const given = settings.answerLookup?.(delayId, asUser) ?? limited();
    if (given !== undefined) return given;
    if (event?.state !== "scheduled" || event.content.userId !== asUser) {
      return matrixError(404, "M_NOT_FOUND", "Delayed event not found");
    }
    const { roomId = "!room:example.org", type = "m.call.member", stateKey } = event.content;
    const body = {
      delay_id: delayId,
      room_id: roomId,
      type,
      ...(stateKey !== undefined && { state_key: stateKey }),
      delay_ms: event.delayMs,
      delayed_since_ts: event.since,
      content: {},
    };
    return { status: 200, body };
  }

  return {
    settings,
    actions,
    lookups,
    schedule(delayId, delayMs, content = {}) {
      collectSecret("delay ID", delayId);
      events.get(delayId)?.cancelTimer();
      const event: Event = { delayMs, content, since: 0, state: "scheduled", cancelTimer() {} };
      events.set(delayId, event);
      start(delayId, event);
    },
    fire(delayId) {
      const event = events.get(delayId);
      if (event?.state === "scheduled") end(delayId, event, "timed-out");
    },
    state: (delayId) => events.get(delayId)?.state ?? "unknown",
    count: (delayId, action, status = 200) =>
      actions.filter((entry) =>
        entry.delayId === delayId && entry.action === action && entry.status === status
      ).length,
    performed: (count) => performed.reached(count),
    ended(delayId) {
      const state = events.get(delayId)?.state ?? "unknown";
      if (state !== "scheduled") return Promise.resolve(state);
      const ending = endings.get(delayId) ?? Promise.withResolvers<DelayedEventState>();
      endings.set(delayId, ending);
      return ending.promise;
    },
    act,
    async respond(request) {
      const match = PATH.exec(new URL(request.url).pathname);
      if (match === null) return undefined;
      const [, stable, encodedId, named] = match;
      const wanted = stable === undefined ? "unstable" : "stable";
      if (settings.paths !== wanted && settings.paths !== "both") return UNRECOGNIZED;
      const asUser = authenticate(request);
      if (typeof asUser === "object") return asUser;
      const delayId = decodeURIComponent(encodedId!);
      if (request.method !== "POST") {
        if (asUser === undefined) return matrixError(401, "M_MISSING_TOKEN", "Missing token");
        if (named !== undefined) return UNRECOGNIZED;
        const answer = look(delayId, asUser);
        lookups.push({ delayId, asUser, status: answer.status });
        return answer;
      }
      let body: unknown;
      try {
        body = await request.json();
      } catch {
        return matrixError(400, "M_NOT_JSON", "Content not JSON.");
      }
      let action: unknown = named;
      if (named === undefined) {
        if (stable !== undefined) return UNRECOGNIZED;
        action = (body as { action?: unknown } | null)?.action;
        if (action === undefined) return matrixError(400, "M_MISSING_PARAM", "Missing action");
        if (!isAction(action)) return matrixError(400, "M_INVALID_PARAM", "Unknown action");
      }
      return isAction(action) ? act(delayId, action, asUser) : UNRECOGNIZED;
    },
    close() {
      for (const event of events.values()) event.cancelTimer();
    },
  };
}

const UNRECOGNIZED = matrixError(404, "M_UNRECOGNIZED", "Unrecognized request");

function isAction(value: unknown): value is DelayedAction {
  return typeof value === "string" && ACTIONS.includes(value);
}

function matrixError(status: number, errcode: string, error: string): DelayedAnswer {
  return { status, body: { errcode, error } };
}
