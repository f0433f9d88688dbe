import type { Finding } from "../check.ts";
import { describeAnswer } from "../describe_answer.ts";
import { pass, unreachable } from "../finding.ts";
import { fail } from "../finding.ts";
import { judgeAllowOrigin } from "../judge_allow_origin.ts";
import type { Exchange } from "../probe.ts";

/** What D2 looks at. */
export interface PreflightFacts {
  readonly url: string;
  /** The answer to `OPTIONS`, as browsers ask before a POST of JSON. */
  readonly preflight: Exchange;
  /** The answer to the POST itself. */
  readonly post: Exchange;
}

/** D2: may web clients ask at all, and read the answer. */
export function judgePreflight({ url, preflight, post }: PreflightFacts): Finding {
  if (!preflight.answered) return unreachable(preflight, url);
  const seen = `OPTIONS ${url}: ${describeAnswer(preflight)}`;
  if (preflight.status < 200 || preflight.status > 299) {
    const isLogin = preflight.status === 401 || preflight.status === 403;
    return fail(
      seen,
      `The proxy answers OPTIONS itself${isLogin ? ", asking for a login" : ""}: pass OPTIONS on ` +
        "to the service. Browsers and iOS clients see a missing transport otherwise.",
    );
  }
  const origin = judgeAllowOrigin(preflight, `OPTIONS ${url}`);
  if (origin !== undefined) return origin;
  const allowed = preflight.header("access-control-allow-headers")
    .flatMap((line) => line.split(",")).map((name) => name.trim().toLowerCase());
  if (!allowed.includes("content-type") && !allowed.includes("*")) {
    return fail(
      `${seen}, without Content-Type in Access-Control-Allow-Headers`,
      "The proxy answers OPTIONS itself, and not in full: pass OPTIONS on to the service.",
    );
  }
  const ofPost = post.answered ? judgeAllowOrigin(post, `POST ${url}`) : undefined;
  return ofPost ?? pass(`${preflight.status}, one Access-Control-Allow-Origin`);
}
