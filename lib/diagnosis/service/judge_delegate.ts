import type { Config } from "../../config/config.ts";
import type { Finding } from "../check.ts";
import { describeAnswer, errcodeOf } from "../describe_answer.ts";
import { fail, pass, unreachable, warn } from "../finding.ts";
import type { Exchange } from "../probe.ts";
import { judgeRoute } from "./judge_endpoint.ts";

/** Whether the service takes delayed leaves, by its configuration. */
export type DelegationState = "on" | "off" | "with-webhooks";

/**
 * Tells what the configuration comes to: `auto` without polling is on once a webhook has come.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { delegationState } from "./judge_delegate.ts";
 *
 * const mode = "auto";
 * assertEquals(delegationState({ mode, sanityCheckIntervalSeconds: 30 }), "on");
 * assertEquals(delegationState({ mode, sanityCheckIntervalSeconds: 0 }), "with-webhooks");
 * ```
 */
export function delegationState(
  { mode, sanityCheckIntervalSeconds }: Pick<
    Config["delegation"],
    "mode" | "sanityCheckIntervalSeconds"
  >,
): DelegationState {
  if (mode !== "auto") return mode;
  return sanityCheckIntervalSeconds > 0 ? "on" : "with-webhooks";
}

/** D5: clients take any answer but 404 as a promise to send their leave. */
export function judgeDelegate(exchange: Exchange, url: string, state: DelegationState): Finding {
  if (!exchange.answered) return unreachable(exchange, url);
  const seen = `POST ${url}: ${describeAnswer(exchange)}`;
  const errcode = errcodeOf(exchange);
  const isTaken = (exchange.status === 400 || exchange.status === 401) && errcode !== undefined;
  if (exchange.status === 404) {
    if (state === "off") return pass(`${seen}, for delegation is off`);
    const isOurs = errcode !== undefined && exchange.header("x-request-id").length > 0;
    if (state === "with-webhooks" && isOurs) {
      return warn(
        `${seen}: no webhook has come yet, and polling is off`,
        "Wire LiveKit's webhook to this service, or set " +
          "LIVEKIT_SANITY_CHECK_INTERVAL_SECONDS=30: until then clients keep their leave themselves.",
      );
    }
    return fail(
      seen,
      isOurs
        ? "The service there runs with another configuration, for here delegation is on: " +
          "compare MATRIXRTC_DELEGATION, and restart it."
        : "Forward /delegate_delayed_leave as well: without it who crashes stays in the call.",
    );
  }
  if (isTaken && state === "off") {
    return fail(
      `${seen}, though delegation is off`,
      "Another service or configuration answers: clients trust it with their leave, and nobody " +
        "sends it. Restart the service, or route the path to this one.",
    );
  }
  if (isTaken) return pass(seen);
  return judgeRoute(exchange, url) ??
    fail(seen, "Expected was 400 with an errcode. Look at the service's log and the proxy's.");
}
