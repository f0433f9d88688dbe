import type { Finding } from "../check.ts";
import { bodyKind } from "../body_kind.ts";
import { errcodeOf } from "../describe_answer.ts";
import type { Exchange } from "../probe.ts";

/**
 * E2: judges what userinfo says to a token that nobody has. Without this endpoint no user can be
 * verified.
 */
export function judgeUserinfo(exchange: Exchange): Finding {
  const fail = (evidence: string, remedy: string): Finding => ({
    verdict: "FAIL",
    evidence,
    remedy,
  });
  if (!exchange.answered) {
    return fail(
      exchange.message,
      "The homeserver does not answer in time: see its log, and the proxy's in front of it.",
    );
  }
  const { status, text } = exchange;
  const errcode = errcodeOf(exchange);
  const evidence = `userinfo: HTTP ${status} ${errcode ?? `with ${bodyKind(text)}`}`;
  if (status === 401 && errcode === "M_UNKNOWN_TOKEN") return { verdict: "PASS", evidence };
  if (status === 401 && errcode === "M_MISSING_TOKEN") {
    return fail(evidence, "A proxy removes the query: let it pass paths on as they came.");
  }
  if (status === 404) {
    return fail(
      evidence,
      "Add the `openid` (or `federation`) resource to a listener of the homeserver and forward " +
        "/_matrix/federation there, or set MATRIXRTC_FEDERATION_URL_OVERRIDES; continuwuity has " +
        "it only while federation is on.",
    );
  }
  if (status === 429) {
    return {
      verdict: "WARN",
      evidence,
      remedy: "Raise the homeserver's or proxy's rate limit for this service's address.",
    };
  }
  if (status === 500) {
    return fail(evidence, "See the homeserver's log: is the path routed to a worker that has it?");
  }
  if (status >= 502 && status <= 504) {
    return fail(evidence, "The proxy does not reach the homeserver: check its port there.");
  }
  if (status === 200 && errcode === undefined && bodyKind(text) === "JSON") {
    return fail(
      evidence,
      "Whatever answers there takes any token, or is no homeserver: correct the delegation.",
    );
  }
  return fail(
    evidence,
    "A firewall or proxy answers in the homeserver's place: forward /_matrix/federation to it.",
  );
}
