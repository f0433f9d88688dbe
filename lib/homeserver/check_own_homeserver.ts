import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { AnswerLog } from "./answer_log.ts";
import type { IsJoined } from "./is_joined.ts";

/** What the check needs. */
export interface CheckOptions {
  readonly serverName: string;
  readonly ask: IsJoined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Logs that it does not answer, and does not say it again soon if somebody else finds out, too. */
  readonly answerLog: AnswerLog;
}

/** The ID of a room whose first event has a hash of nothing but zeros: no homeserver knows one. */
const NO_ROOM = `!${"A".repeat(43)}`;
const TIMEOUT_MS = 5_000;

/**
 * Asks the homeserver something that takes token, scope and flags to answer, so
 * that the log tells at the start what is wrong with them, and the remedy, rather
 * than when the first user comes. Logs what comes of it; never rejects.
 */
export async function checkOwnHomeserver(options: CheckOptions): Promise<void> {
  const { serverName, log, answerLog } = options;
  try {
    await askNothing(options);
    log.info("the homeserver answers its application service", { server: serverName });
    answerLog.onAnswer();
  } catch (error) {
    if (error instanceof UpstreamError) answerLog.onFailure(error);
    else log.error("the homeserver could not be asked", { server: serverName });
  }
}

/**
 * Asks the same and logs nothing.
 *
 * @returns Why there was no answer; nothing where there was one.
 */
export async function probeOwnHomeserver(
  options: Pick<CheckOptions, "serverName" | "ask" | "clock">,
): Promise<UpstreamError | undefined> {
  try {
    await askNothing(options);
    return undefined;
  } catch (error) {
    if (error instanceof UpstreamError) return error;
    throw error;
  }
}

async function askNothing(
  { serverName, ask, clock }: Pick<CheckOptions, "serverName" | "ask" | "clock">,
): Promise<void> {
  await ask(NO_ROOM, { serverName }, clock.monotonic() + TIMEOUT_MS);
}
