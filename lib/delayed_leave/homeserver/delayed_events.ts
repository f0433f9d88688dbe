/** One request to a homeserver about a delayed event (MSC4140), and what its answer means. */

import { LRUCache } from "lru-cache";
import type { Clock } from "../../clock.ts";
import { withDeadline } from "../../deadline.ts";
import { parseJsonObject } from "../../json_object.ts";
import { errcodeOf, isUnrecognized } from "../../matrix/errcode.ts";
import { UpstreamError } from "../../matrix/errors.ts";
import type { HttpClient, HttpResponse } from "../../net/http_client.ts";
import type { BaseTarget } from "../../net/target.ts";
import type { ClientApi } from "../../homeserver/client_api.ts";
import type { Job } from "../job.ts";
import type { Act } from "../store.ts";
import { actingUserOf, type AppService } from "./app_service.ts";

/** What has come of one attempt. */
export type Outcome =
  /** The homeserver has done it, or had already. */
  | { readonly kind: "done" }
  /** There is nothing left to restart. */
  | { readonly kind: "gone" }
  /** The homeserver will not, however often it is asked. */
  | { readonly kind: "refused"; readonly error: UpstreamError }
  /** Not now: ask again after so many milliseconds, and not before. */
  | { readonly kind: "limited"; readonly retryAfterMs: number }
  /** Another attempt may do better. */
  | { readonly kind: "failed"; readonly error: UpstreamError; readonly isUnresolved: boolean };

/**
 * Makes one attempt. Never rejects for what others do wrong.
 *
 * @param timeoutMs Milliseconds for the whole of it, finding the server included.
 */
export type Attempt = (job: Job, act: Act, timeoutMs: number) => Promise<Outcome>;

/** What attempts need. */
export interface DelayedEventsOptions {
  readonly client: HttpClient;
  readonly clientApi: ClientApi;
  readonly clock: Clock;
  /** Present where this service is registered as one. */
  readonly appService?: AppService;
}

/** Where homeservers have their delayed events; most still have them at the first of these only. */
const ROOTS = [
  "/_matrix/client/unstable/org.matrix.msc4140/delayed_events",
  "/_matrix/client/v1/delayed_events",
] as const;
type Root = typeof ROOTS[number];

const HEADERS = { "content-type": "application/json" };
const MAX_BODY_BYTES = 64 * 1024;
const MAX_SERVERS = 10_000;
const UTF_8 = new TextDecoder();
const DONE: Outcome = { kind: "done" };
const GONE: Outcome = { kind: "gone" };

/** Makes the function that makes attempts. */
export function createDelayedEvents(options: DelayedEventsOptions): Attempt {
  const { appService, client, clientApi, clock } = options;
  const rootOf = new LRUCache<string, Root>({ max: MAX_SERVERS });

  async function resolve(serverName: string, timeoutMs: number): Promise<BaseTarget> {
    const resolving = clientApi.resolve(serverName);
    // What is known comes at once, and needs no timer.
    if (clientApi.peek(serverName) !== undefined) return await resolving;
    const late = () =>
      new UpstreamError("http", `${serverName}'s client API could not be found in time`);
    return await withDeadline(resolving, timeoutMs, clock, late);
  }

  async function ask(
    base: BaseTarget,
    job: Job,
    act: Act,
    deadline: number,
  ): Promise<Outcome> {
    const { serverName } = job;
    const known = rootOf.get(serverName) ?? ROOTS[0];
    const event = encodeURIComponent(job.delayId.reveal());
    const userId = actingUserOf(job, appService);
    const hasToken = appService !== undefined && userId !== undefined;
    const query = hasToken ? `?user_id=${encodeURIComponent(userId)}` : "";
    const headers = hasToken
      ? { ...HEADERS, authorization: `Bearer ${appService.asToken.reveal()}` }
      : HEADERS;
    for (const root of known === ROOTS[0] ? ROOTS : [known, ROOTS[0]]) {
      const response = await client.request(base.target, {
        method: "POST",
        path: `${base.basePath}${root}/${event}/${act}${query}`,
        headers,
        body: "{}",
        timeoutMs: Math.max(deadline - clock.monotonic(), 0),
        maxBodyBytes: MAX_BODY_BYTES,
      });
      // Nearly every answer, so nothing is read that is not needed.
      if (response.status === 200 || response.status === 204) {
        if (root !== known) rootOf.set(serverName, root);
        return DONE;
      }
      const answer = parseJsonObject(response.body) ?? {};
      if (isUnrecognized({ status: response.status, errcode: answer.errcode })) continue;
      if (root !== known && typeof answer.errcode === "string") rootOf.set(serverName, root);
      const where = describe(base, act);
      if (hasToken && response.status === 401) refuseToken(answer, where);
      return interpret(response, answer, act, where, clock);
    }
    throw new UpstreamError(
      "answer",
      `${describe(base, act)}: the homeserver has no delayed events (MSC4140; Synapse has them ` +
        "with max_event_delay_duration)",
    );
  }

  return async (job, act, timeoutMs) => {
    const { serverName } = job;
    const delayId = job.delayId.reveal();
    // Dot segments would be taken for steps in the path, whether or not they are encoded.
    if (/^\.{0,2}$/.test(delayId) || !delayId.isWellFormed()) {
      const error = new UpstreamError(
        "policy",
        `${serverName}: ${act} with an impossible delay ID`,
      );
      return { kind: "refused", error };
    }
    const deadline = clock.monotonic() + timeoutMs;
    let base: BaseTarget;
    try {
      base = await resolve(serverName, timeoutMs);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return { kind: "failed", error, isUnresolved: true };
    }
    try {
      return await ask(base, job, act, deadline);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      clientApi.suspect(serverName);
      return { kind: "failed", error, isUnresolved: false };
    }
  };
}

/** For people: `restart at https://matrix.example.org`. */
function describe({ target, basePath }: BaseTarget, act: Act): string {
  return `${act} at ${target.protocol}://${target.hostHeader}${basePath}`;
}

/**
 * What is not known is this service, so that nothing is said of the event.
 *
 * @throws {UpstreamError} Unless it is a proxy that speaks.
 */
function refuseToken(answer: Record<string, unknown>, where: string): void {
  const errcode = errcodeOf(answer);
  if (errcode === undefined) return;
  throw new UpstreamError(
    "answer",
    `${where}: HTTP 401 ${errcode}: the homeserver does not know LIVEKIT_AS_TOKEN; has it ` +
      "loaded the same registration file?",
  );
}

/** @throws {UpstreamError} For answers that decide nothing. */
function interpret(
  response: HttpResponse,
  { errcode, retry_after_ms: retryAfter }: Record<string, unknown>,
  act: Act,
  where: string,
  clock: Clock,
): Outcome {
  const { status, headers } = response;
  if (status === 429) {
    const retryAfterMs = readRetryAfter(headers, clock.now()) ?? roundUpToSeconds(retryAfter);
    if (retryAfterMs !== undefined) return { kind: "limited", retryAfterMs };
  }
  // Without a Matrix error code it is a proxy that speaks, and it knows nothing of the event.
  const code = errcodeOf({ errcode });
  if (status === 404 && code === "M_NOT_FOUND") return act === "send" ? DONE : GONE;
  // Homeservers that say no more than that are known; a leave that is not there needs no sending.
  if (status === 404 && act === "send" && isEmptyObject(response.body)) return DONE;
  if (code !== undefined && (status === 401 || status === 403 || status === 409)) {
    const error = new UpstreamError("answer", `${where}: HTTP ${status} ${code}`);
    return { kind: "refused", error };
  }
  const hint = status >= 300 && status < 400
    ? ", a redirect, which is not followed; check the client API's base URL"
    : code === undefined
    ? " without a Matrix error code (a proxy in front of the homeserver?)"
    : ` ${code}`;
  throw new UpstreamError("answer", `${where}: HTTP ${status}${hint}`);
}

/** Seconds, or a date: by the server's clock where it tells that, since ours may differ. */
function readRetryAfter(headers: HttpResponse["headers"], now: number): number | undefined {
  const [text] = [headers["retry-after"] ?? []].flat();
  if (text === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  if (Number.isNaN(until)) return undefined;
  const [date] = [headers.date ?? []].flat();
  const serverNow = date === undefined ? NaN : Date.parse(date);
  return Math.max(until - (Number.isNaN(serverNow) ? now : serverNow), 0);
}

function roundUpToSeconds(ms: unknown): number | undefined {
  if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0) return undefined;
  return Math.ceil(ms / 1000) * 1000;
}

function isEmptyObject(body: Uint8Array): boolean {
  return body.length < 16 && /^\s*\{\s*\}\s*$/.test(UTF_8.decode(body));
}
