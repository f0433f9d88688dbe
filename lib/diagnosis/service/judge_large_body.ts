import type { Finding } from "../check.ts";
import { describeAnswer, errcodeOf } from "../describe_answer.ts";
import { fail, pass, unreachable } from "../finding.ts";
import type { Exchange } from "../probe.ts";
import { judgeRoute } from "./judge_endpoint.ts";

/** D6: does a body of a size that may come get through. */
export function judgeLargeBody(exchange: Exchange, url: string, bytes: number): Finding {
  if (!exchange.answered) return unreachable(exchange, url);
  const size = `${Math.round(bytes / 1024)} KiB`;
  const seen = `POST ${url} of ${size}: ${describeAnswer(exchange)}`;
  if (exchange.status === 413) {
    return fail(seen, "Let the proxy pass bodies up to 64 KiB on (nginx: client_max_body_size).");
  }
  if (exchange.status === 400 && errcodeOf(exchange) !== undefined) {
    return pass(`${size} reach the service`);
  }
  return judgeRoute(exchange, url) ??
    fail(seen, "A small body gets another answer (D3): look at the proxy's limits and filters.");
}
