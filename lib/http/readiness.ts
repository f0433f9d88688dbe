import type { Logger } from "@logtape/logtape";
import { STATUS_CODE } from "@std/http/status";
import type { Clock } from "../clock.ts";
import { describeError, hopFact } from "../observability/logger.ts";
import type { Endpoint, Reply } from "./endpoint.ts";

/** What `/readyz` asks. */
export interface ReadinessOptions {
  /** By name; each throws when its dependency does not work. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Answers are kept this long, so that probing us is not probing others. */
const KEEP_MS = 5_000;

/**
 * Makes `GET /readyz`: `{"status":"ready","checks":{"sfu":"ok"}}` with 200, or
 * `not ready` and `failed` with 503. Why a check failed is told to the log only.
 */
export function createReadinessEndpoint({ checks, log, clock }: ReadinessOptions): Endpoint {
  let kept: Promise<Reply> | undefined;
  let keptUntil = -Infinity;

  async function check(name: string, isWorking: () => Promise<void>): Promise<[string, string]> {
    try {
      await isWorking();
      return [name, "ok"];
    } catch (error) {
      log.warning(`not ready: ${describeError(error)}`, { check: name, ...hopFact(error) });
      return [name, "failed"];
    }
  }

  async function checkAll(): Promise<Reply> {
    const results = await Promise.all(
      Object.entries(checks).map(([name, isWorking]) => check(name, isWorking)),
    );
    const isReady = results.every(([, result]) => result === "ok");
    const status = isReady ? "ready" : "not ready";
    return {
      status: isReady ? STATUS_CODE.OK : STATUS_CODE.ServiceUnavailable,
      contentType: "application/json",
      body: JSON.stringify({ status, checks: Object.fromEntries(results) }),
    };
  }

  return () => {
    if (kept === undefined || clock.monotonic() >= keptUntil) {
      kept = checkAll();
      keptUntil = clock.monotonic() + KEEP_MS;
    }
    return kept;
  };
}
