/** Judges the homeserver's list of transports. */

import type { Finding } from "../check.ts";
import { describeAnswer, errcodeOf } from "../describe_answer.ts";
import type { TokenOwner } from "../facts.ts";
import { fail, pass, skip, unreachable, warn } from "../finding.ts";
import type { Transports } from "./transports.ts";

const HOW = "Synapse: set experimental_features.msc4143_enabled and matrix_rtc.transports; " +
  "tuwunel: livekit_url; continuwuity: matrix_rtc.foci.";

/**
 * C5: does the route exist. 401 without a token is as it should be.
 *
 * @param hasFoci Whether the well-known file names a service, for clients that look there.
 */
export function judgeTransports(found: Transports | undefined, hasFoci: boolean): Finding {
  if (found === undefined) return skip("where the client API is, is not known (C1)");
  const { exchange, path } = found;
  if (!exchange.answered) return unreachable(exchange, path);
  const seen = `${path}: ${describeAnswer(exchange)}`;
  const errcode = errcodeOf(exchange);
  if (exchange.status === 401 && errcode !== undefined) {
    return pass(`${seen}, as it should without a token`);
  }
  if (exchange.status === 200 && found.transports !== undefined) return pass(seen);
  if (exchange.status === 404 && errcode === "M_UNRECOGNIZED") {
    return hasFoci
      ? warn(seen, `Newer clients ask the homeserver only. ${HOW}`)
      : fail(seen, `Clients find no transport at all. ${HOW}`);
  }
  if (exchange.status >= 502 && exchange.status <= 504) {
    return fail(seen, "The proxy in front of the homeserver does not reach it for this path.");
  }
  return fail(
    seen,
    `The proxy does not pass ${path} to the homeserver, or it is not enabled there. ${HOW}`,
  );
}

/** What C6 compares. */
export interface UserView {
  /** Whose token it is; absent where none was given. */
  readonly owner?: TokenOwner;
  /** What the homeserver tells this user. */
  readonly transports?: Transports;
  /** What the well-known file tells everybody. */
  readonly serviceUrls: readonly string[];
}

/** C6: do both ways lead to the same service. */
export function judgeUserTransports({ owner, transports, serviceUrls }: UserView): Finding {
  if (owner === undefined) return skip("needs a user's access token: --user-token-file");
  if (owner.userId === undefined) {
    return fail(
      `the access token cannot be used: ${owner.why}`,
      "Give a token of a user of the first server (--server), as clients show it in their settings.",
    );
  }
  if (transports === undefined) return skip("nothing was asked");
  const { exchange, path } = transports;
  if (!exchange.answered) return unreachable(exchange, owner.baseUrl);
  if (exchange.status !== 200) {
    const seen = `${path} with a token: ${describeAnswer(exchange)}`;
    return exchange.status === 404
      ? skip(`${seen} (C5)`)
      : fail(seen, `The homeserver should list transports to its users. ${HOW}`);
  }
  const own = transports.serviceUrls ?? [];
  if (own.length === 0) {
    return fail(
      "the homeserver lists no usable transport of type livekit",
      `Add one, with livekit_service_url. ${HOW}`,
    );
  }
  if (serviceUrls.length === 0) return pass(`the homeserver says ${own.join(", ")}`);
  const differs = withoutSlash(own[0]!) !== withoutSlash(serviceUrls[0]!);
  return differs
    ? fail(
      `the homeserver says ${own[0]}, the well-known file ${serviceUrls[0]}`,
      "The two ways of discovery disagree, so users of different clients do not meet: put the " +
        "same livekit_service_url into both.",
    )
    : pass(`both say ${own[0]}`);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
