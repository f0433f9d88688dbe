import { createHash } from "node:crypto";
import { forward } from "./forward.ts";
import type { Synapse } from "./synapse.ts";
import { createWaitable } from "./waitable.ts";

/** What a service may do with a delayed event. */
export type DelayedEventAction = "restart" | "send" | "cancel";

/** A call about a delayed event. */
export interface DelayedEventCall {
  /** When it came; milliseconds of the monotonic clock. */
  readonly at: number;
  /** What it was answered with; 502 while the homeserver is down. */
  readonly status: number;
  /** Whether it came with a token. */
  readonly hasToken: boolean;
  /** As whom the service acts; nobody but for application services. */
  readonly userId: string | null;
}

/** A relay before a homeserver's client API that counts what services do with delayed events. */
export interface HomeserverTap extends AsyncDisposable {
  /** An entry for `LIVEKIT_CS_API_URL_OVERRIDES`. */
  readonly override: string;
  /** The calls about an event in their order. */
  calls(delayId: string, action: DelayedEventAction): readonly DelayedEventCall[];
  /** What they were answered with. */
  statuses(delayId: string, action: DelayedEventAction): readonly number[];
  /** Resolves as soon as so many calls were answered 200. */
  waitFor(
    delayId: string,
    action: DelayedEventAction,
    count?: number,
    timeoutMs?: number,
  ): Promise<void>;
  /** All statuses of all events. */
  readonly allStatuses: readonly number[];
  /** What the questions about a room's members were answered with, see MSC4502. */
  questions(roomId: string): readonly number[];
  /** Resolves when so many questions about a room's members were answered. */
  waitForQuestions(roomId: string, count: number): Promise<void>;
  /** Answers everything 502 from now on, as a proxy does before a homeserver that is down; or no longer. */
  setDown(isDown: boolean): void;
}

const WAIT_TIMEOUT_MS = 30_000;
const ACTION_PATH = /\/delayed_events\/([^/]+)(?:\/(send|restart|cancel))$/;
const QUESTION_PATH = /\/rooms\/([^/]+)\/is_joined$/;

/**
 * Starts a relay on loopback.
 *
 * Delay IDs are secrets: it keeps their hashes, and no message has them.
 */
export function startHomeserverTap(homeserver: Synapse, caPem: string): HomeserverTap {
  const client = Deno.createHttpClient({ caCerts: [caPem] });
  const kept = new Map<string, DelayedEventCall[]>();
  const all: number[] = [];
  const asked = new Map<string, number[]>();
  let isDown = false;
  const waitable = createWaitable();
  const key = (delayId: string, action: string) =>
    `${action} ${createHash("sha256").update(delayId).digest("hex")}`;
  const calls = (delayId: string, action: DelayedEventAction) =>
    kept.get(key(delayId, action)) ?? [];
  const statuses = (delayId: string, action: DelayedEventAction) =>
    calls(delayId, action).map(({ status }) => status);

  async function pass(request: Request): Promise<Response> {
    const at = performance.now();
    const body = new Uint8Array(await request.arrayBuffer());
    const response = isDown
      ? new Response(null, { status: 502 })
      : await forward(request, body, homeserver.baseUrl, { client })
        .catch(() => new Response(null, { status: 502 }));
    const { pathname, searchParams } = new URL(request.url);
    const [, roomId] = pathname.match(QUESTION_PATH) ?? [];
    if (roomId !== undefined) {
      const name = decodeURIComponent(roomId);
      asked.set(name, [...asked.get(name) ?? [], response.status]);
      waitable.notify();
    }
    const [, delayId, action] = pathname.match(ACTION_PATH) ?? [];
    if (delayId !== undefined && action !== undefined) {
      const name = key(decodeURIComponent(delayId), action);
      kept.set(name, [...kept.get(name) ?? [], {
        at,
        status: response.status,
        hasToken: request.headers.has("authorization"),
        userId: searchParams.get("user_id"),
      }]);
      all.push(response.status);
      waitable.notify();
    }
    return response;
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, pass);
  return {
    override: `${homeserver.serverName}=http://127.0.0.1:${server.addr.port}`,
    calls,
    statuses,
    waitFor: (delayId, action, count = 1, timeoutMs = WAIT_TIMEOUT_MS) =>
      waitable.until(
        () =>
          statuses(delayId, action).filter((status) => status === 200).length >= count || undefined,
        timeoutMs,
        () =>
          `The homeserver has answered ${action} [${statuses(delayId, action)}] and not ` +
          `${count} times 200`,
      ).then(() => {}),
    allStatuses: all,
    questions: (roomId) => asked.get(roomId) ?? [],
    waitForQuestions: (roomId, count) =>
      waitable.until(
        () => (asked.get(roomId) ?? []).length >= count || undefined,
        WAIT_TIMEOUT_MS,
        () => `The homeserver was asked [${asked.get(roomId) ?? []}] about the room's members`,
      ).then(() => {}),
    setDown: (down) => void (isDown = down),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      client.close();
    },
  };
}
