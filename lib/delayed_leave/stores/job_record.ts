/** Jobs as text, the way lk-jwt-service keeps them, so that either program continues the other's. */

import { parseServerName } from "../../matrix/server_name.ts";
import { Secret } from "../../secret.ts";
import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
import type { Job, StoredJob } from "../job.ts";

/** Characters that a record's delay ID, room, identity and user ID may have. */
export const MAX_RECORD_FIELD_LENGTH = 1024;
/** Five such fields, each character escaped, and whatever another program has added. */
const MAX_RECORD_LENGTH = 64 * 1024;
/** The longest delay that counts; more is taken for this. */
const MAX_DELAY_MS = 24 * 60 * 60 * 1000;
const NANOSECONDS_PER_MS = 1_000_000;

// Go writes up to nine digits and the local offset. JavaScript's own parser takes more than RFC 3339.
const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
/** What Go's encoder escapes in strings although JSON does not ask for it. */
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;

/**
 * Writes a job down. What lk-jwt-service does not know stands in further fields,
 * which it ignores.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../../secret.ts";
 * import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
 * import { formatJobRecord } from "./job_record.ts";
 *
 * const job = {
 *   room: "room" as LiveKitRoom,
 *   identity: "identity" as LiveKitIdentity,
 *   delayId: new Secret("syd_abc"),
 *   delayTimeoutMs: 10_000,
 *   serverName: "example.org",
 * };
 * assertEquals(
 *   formatJobRecord({ job, restartedAt: Date.UTC(2026, 0, 1), wasConnected: true }),
 *   '{"Params":{"DelayId":"syd_abc","DelayTimeout":10000000000,"ServerName":"example.org",' +
 *     '"LiveKitRoom":"room","LiveKitIdentity":"identity"},' +
 *     '"RestartedAt":"2026-01-01T00:00:00.000Z","Connected":true}',
 * );
 * ```
 *
 * @returns JSON that holds the delay ID in plain text: for stores only.
 */
export function formatJobRecord({ job, restartedAt, wasConnected }: StoredJob): string {
  return JSON.stringify({
    Params: {
      DelayId: job.delayId.reveal(),
      DelayTimeout: Math.round(job.delayTimeoutMs * NANOSECONDS_PER_MS),
      ServerName: job.serverName,
      LiveKitRoom: job.room,
      LiveKitIdentity: job.identity,
    },
    RestartedAt: new Date(restartedAt).toISOString(),
    Connected: wasConnected,
    UserId: job.userId,
    OtherIdentity: job.otherIdentity,
    ThroughHomeserver: job.isThroughHomeserver,
  });
}

/**
 * Reads what {@linkcode formatJobRecord} or lk-jwt-service has written. Fractions
 * of a millisecond are cut off; a delay of less counts as one millisecond.
 *
 * The time of the last restart is as it stands there, maybe in the future:
 * see {@linkcode notInFuture}.
 *
 * @returns `undefined` for anything that cannot be understood.
 */
export function parseJobRecord(text: string): StoredJob | undefined {
  const record = text.length <= MAX_RECORD_LENGTH ? parseObject(text) : undefined;
  if (record === undefined || !isObject(record.Params)) return undefined;
  const { DelayId, DelayTimeout, ServerName, LiveKitRoom, LiveKitIdentity } = record.Params;
  const restartedAt = parseTime(record.RestartedAt);
  if (!isName(DelayId) || !isName(LiveKitRoom) || !isName(LiveKitIdentity)) return undefined;
  if (typeof ServerName !== "string" || parseServerName(ServerName) === undefined) return undefined;
  if (typeof DelayTimeout !== "number" || !(DelayTimeout > 0)) return undefined;
  if (restartedAt === undefined) return undefined;
  const delayTimeoutMs = Math.floor(DelayTimeout / NANOSECONDS_PER_MS);
  const job: Job = {
    room: LiveKitRoom as LiveKitRoom,
    identity: LiveKitIdentity as LiveKitIdentity,
    delayId: new Secret(DelayId),
    delayTimeoutMs: Math.min(Math.max(delayTimeoutMs, 1), MAX_DELAY_MS),
    serverName: ServerName,
    // Another program may use these names for something else: then they say nothing.
    ...(isName(record.UserId) && { userId: record.UserId }),
    ...(isName(record.OtherIdentity) && { otherIdentity: record.OtherIdentity as LiveKitIdentity }),
    ...(record.ThroughHomeserver === true && { isThroughHomeserver: true }),
  };
  return { job, restartedAt, wasConnected: record.Connected === true };
}

/** Whether the homeserver has sent the event by itself by now; `now` is the time of day. */
export function isExpired({ job, restartedAt }: StoredJob, now: number): boolean {
  return restartedAt + job.delayTimeoutMs <= now;
}

/** The same job, restarted no later than `now`: the clock may have been set back since. */
export function notInFuture(stored: StoredJob, now: number): StoredJob {
  return stored.restartedAt <= now ? stored : { ...stored, restartedAt: now };
}

/**
 * Makes the field of lk-jwt-service's Redis hash for a participant's job: like
 * {@linkcode jobKey}, but escaped as Go's encoder does it, so that a user ID with
 * an ampersand is one field for both programs.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { jobField } from "./job_record.ts";
 *
 * assertEquals(jobField("room", "@you&me:example.org:D"), String.raw`["room","@you\u0026me:example.org:D"]`);
 * ```
 */
export function jobField(room: string, identity: string): string {
  return JSON.stringify([room, identity]).replace(
    ESCAPED_BY_GO,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function parseTime(value: unknown): number | undefined {
  const match = typeof value === "string" ? RFC_3339.exec(value) : null;
  if (match === null) return undefined;
  const [, dateAndTime, fraction = "", offset] = match;
  const time = Date.parse(`${dateAndTime}.${fraction.slice(0, 3).padEnd(3, "0")}${offset}`);
  return Number.isNaN(time) ? undefined : time;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_RECORD_FIELD_LENGTH;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
