/** {@linkcode RoomMembership}, with what is remembered and what is under way. */

import { LRUCache } from "lru-cache";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { AnswerLog } from "./answer_log.ts";
import type { IsJoined } from "./is_joined.ts";
import { RefusedError } from "./refusal.ts";
import type { Member, RoomMembership } from "./room_membership.ts";

/** What it needs. */
export interface CachedMembershipOptions {
  readonly ask: IsJoined;
  readonly clock: Clock;
  readonly answerLog: AnswerLog;
}

const MAX_AGE_MS = 30_000;
const MAX_ENTRIES = 50_000;
/** The bound of a request that several may wait for, whoever began it. */
const SHARED_TIMEOUT_MS = 5_000;
/** Who has waited longer for an answer has given the homeserver a fair chance. */
const LONG_WAIT_MS = SHARED_TIMEOUT_MS / 2;

/** Makes it. What is no room ID, user ID or server name is a {@linkcode TypeError}. */
export function createCachedMembership(options: CachedMembershipOptions): RoomMembership {
  const { ask, clock, answerLog } = options;
  /** Who is joined, and until when that counts. Who is not is not in it: he may join any moment. */
  const joinedUntil = new LRUCache<string, number>({ max: MAX_ENTRIES });
  const underWay = new Map<string, Promise<boolean>>();

  async function load(key: string, roomId: string, member: Member): Promise<boolean> {
    try {
      const isJoined = await ask(roomId, member, clock.monotonic() + SHARED_TIMEOUT_MS);
      answerLog.onAnswer();
      if (isJoined) joinedUntil.set(key, clock.monotonic() + MAX_AGE_MS);
      else joinedUntil.delete(key);
      return isJoined;
    } catch (error) {
      if (isAboutTheQuestion(error)) answerLog.onAnswer();
      else if (error instanceof UpstreamError) answerLog.onFailure(error);
      throw error;
    }
  }

  function share(key: string, roomId: string, member: Member): Promise<boolean> {
    const begun = underWay.get(key);
    if (begun !== undefined) return begun;
    const loading = load(key, roomId, member).finally(() => underWay.delete(key));
    underWay.set(key, loading);
    return loading;
  }

  async function askAnew(
    key: string,
    roomId: string,
    member: Member,
    timeoutMs: number,
  ): Promise<boolean> {
    const startedAt = clock.monotonic();
    const deadline = startedAt + timeoutMs;
    const late = () =>
      new UpstreamError("http", `is_joined was not answered in ${timeoutMs / 1000} s`);
    const wait = (promise: Promise<boolean>) =>
      withDeadline(promise, deadline - clock.monotonic(), clock, late);
    const wasUnderWay = underWay.has(key);
    try {
      return await wait(share(key, roomId, member));
    } catch (error) {
      // A request that was about to run out of time when we joined it has proved nothing to us.
      const isLate = error instanceof UpstreamError && error.hop === "http" && wasUnderWay;
      const waitedMs = clock.monotonic() - startedAt;
      if (!isLate || waitedMs > LONG_WAIT_MS || waitedMs >= timeoutMs) throw error;
      return await wait(share(key, roomId, member));
    }
  }

  return {
    async isJoined(roomId, member, timeoutMs) {
      const key = keyOf(roomId, member);
      if ((joinedUntil.get(key) ?? -Infinity) > clock.monotonic()) return true;
      return await askAnew(key, roomId, member, timeoutMs);
    },
    async isStillJoined(roomId, member, timeoutMs) {
      return await askAnew(keyOf(roomId, member), roomId, member, timeoutMs);
    },
  };
}

/**
 * Anybody can ask about a room that no homeserver would call one, or have a name
 * that Synapse does not read (it takes ASCII only in queries): that is no outage.
 */
function isAboutTheQuestion(error: unknown): boolean {
  return error instanceof RefusedError && error.status === 400;
}

function keyOf(roomId: string, member: Member): string {
  return JSON.stringify([roomId, member]);
}
