import type { Clock } from "../../../lib/clock.ts";
import { UpstreamError } from "../../../lib/matrix/errors.ts";
import type { HttpClient, HttpResponse } from "../../../lib/net/http_client.ts";

/**
 * What becomes of requests: `failing` are 503s, `limiting` are 429s, `hanging`
 * takes them and says nothing, `mute` does what it is asked without ever saying
 * so, `proxy` is a proxy's own 404 in front of it.
 */
export type HomeserverMode = "well" | "failing" | "limiting" | "hanging" | "mute" | "proxy";

/** One request as it arrives. */
export interface HomeserverAttempt {
  readonly delayId: string;
  readonly act: "restart" | "send";
  /** In whose name, empty for nobody's; absent without a token. */
  readonly asUser?: string;
  /** Whoever made it, as {@linkcode ModelHomeserver.clientFor} was told. */
  readonly caller: number;
  readonly at: number;
  /** What the homeserver made of it; not necessarily what the caller learns. */
  status: number;
  /** When the caller had the answer. */
  answeredAt?: number;
}

/** A homeserver with delayed events, as a model: no network, the time is the test's. */
export interface ModelHomeserver {
  mode: HomeserverMode;
  readonly attempts: readonly HomeserverAttempt[];
  onAttempt: (attempt: HomeserverAttempt) => void;
  /** An event has been sent because nobody restarted it. */
  onFired: (delayId: string) => void;
  /** Makes the HTTP client of a process. */
  clientFor(caller: number, clock: Clock): HttpClient;
  schedule(delayId: string, delayMs: number): void;
  cancel(delayId: string): void;
  isAlive(delayId: string): boolean;
  /** When it was scheduled or restarted last. */
  startedAt(delayId: string): number;
}

interface DelayedEvent {
  readonly delayMs: number;
  startedAt: number;
  isAlive: boolean;
  stop: () => void;
}

/** The application service's token. */
export const AS_TOKEN = "as-token";

const ON_THE_WAY_MS = 2;
const PATH =
  /^\/_matrix\/client\/(?:unstable\/org\.matrix\.msc4140|v1)\/delayed_events\/([^/?]+)\/(restart|send)(?:\?user_id=([^&]+))?$/;

/** Makes one. */
export function createModelHomeserver(clock: Clock): ModelHomeserver {
  const events = new Map<string, DelayedEvent>();
  const attempts: HomeserverAttempt[] = [];

  function arm(delayId: string, event: DelayedEvent): void {
    event.stop();
    event.startedAt = clock.monotonic();
    event.stop = clock.after(event.delayMs, () => {
      event.isAlive = false;
      homeserver.onFired(delayId);
    });
  }

  function act(attempt: HomeserverAttempt): void {
    const event = events.get(attempt.delayId);
    if (event?.isAlive !== true) attempt.status = 404;
    else {
      attempt.status = 200;
      if (attempt.act === "restart") arm(attempt.delayId, event);
      else {
        event.isAlive = false;
        event.stop();
      }
    }
  }

  function receive(attempt: HomeserverAttempt, answer: (response: HttpResponse) => void): void {
    const { mode } = homeserver;
    attempts.push(attempt);
    if (mode === "failing") attempt.status = 503;
    else if (mode === "limiting") attempt.status = 429;
    else if (mode === "proxy" || mode === "hanging") attempt.status = 0;
    else act(attempt);
    homeserver.onAttempt(attempt);
    if (mode === "hanging" || mode === "mute") return;
    clock.after(ON_THE_WAY_MS, () => {
      attempt.answeredAt = clock.monotonic();
      if (mode === "proxy") answer(respond(404, "<h1>Not Found</h1>"));
      else if (attempt.status === 429) {
        answer(respond(429, '{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1000}'));
      } else if (attempt.status === 404) {
        answer(respond(404, '{"errcode":"M_NOT_FOUND","error":"no such event"}'));
      } else answer(respond(attempt.status, "{}"));
    });
  }

  const homeserver: ModelHomeserver = {
    mode: "well",
    attempts,
    onAttempt: () => {},
    onFired: () => {},
    clientFor: (caller, processClock) => ({
      request: (_target, { headers, path, timeoutMs }) =>
        new Promise((resolve, reject) => {
          const [, delayId, act, user] = PATH.exec(path) ?? [];
          if (delayId === undefined) throw new Error(`an unexpected request: ${path}`);
          const token = headers?.authorization;
          if (token !== undefined && token !== `Bearer ${AS_TOKEN}`) throw new Error("a bad token");
          const asUser = token === undefined ? {} : { asUser: decodeURIComponent(user ?? "") };
          const giveUp = processClock.after(timeoutMs, () =>
            reject(new UpstreamError("http", "no answer in time")));
          // On the way it is nobody's any more: it arrives whatever becomes of the process.
          clock.after(ON_THE_WAY_MS, () =>
            receive(
              {
                delayId: decodeURIComponent(delayId),
                act: act as HomeserverAttempt["act"],
                ...asUser,
                caller,
                at: clock.monotonic(),
                status: 0,
              },
              (response) => {
                giveUp();
                resolve(response);
              },
            ));
        }),
      close: () => Promise.resolve(),
    }),
    schedule(delayId, delayMs) {
      const event = { delayMs, startedAt: 0, isAlive: true, stop: () => {} };
      events.set(delayId, event);
      arm(delayId, event);
    },
    cancel(delayId) {
      const event = events.get(delayId);
      if (event === undefined) return;
      event.isAlive = false;
      event.stop();
    },
    isAlive: (delayId) => events.get(delayId)?.isAlive === true,
    startedAt: (delayId) => events.get(delayId)?.startedAt ?? -Infinity,
  };
  return homeserver;
}

function respond(status: number, body: string): HttpResponse {
  return { status, headers: {}, body: new TextEncoder().encode(body) };
}
