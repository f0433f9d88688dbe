/** Judges answers of what should be this service, behind whatever is in front of it. */

import type { Finding } from "../check.ts";
import { describeAnswer, errcodeOf, lookOf } from "../describe_answer.ts";
import { fail, pass, unreachable, warn } from "../finding.ts";
import type { Answer, Exchange } from "../probe.ts";

const PREFIX_REMEDY = "The path is not passed on, or a prefix is stripped wrongly: let the proxy " +
  "route the whole prefix to this service, which accepts paths with and without it.";

/**
 * Tells who answers in place of the service.
 *
 * @param url What was asked for.
 * @returns What is wrong, or `undefined` for an answer that may be the service's.
 */
export function judgeRoute(answer: Answer, url: string): Finding | undefined {
  const { status } = answer;
  const seen = `${url}: ${describeAnswer(answer)}`;
  const look = lookOf(answer);
  const errcode = errcodeOf(answer);
  if (status >= 300 && status <= 399) {
    return fail(
      seen,
      "The proxy redirects instead of passing the request on: clients do not follow. Route the " +
        "final https address to this service, and except it from any login.",
    );
  }
  if (status >= 502 && status <= 504 && errcode === undefined) {
    return fail(
      seen,
      "The proxy does not reach this service: wrong port or host name, a container that is down or " +
        'unhealthy, or on another network. "matrixrtc-auth healthcheck" asks it directly.',
    );
  }
  if (status === 429) {
    return warn(
      seen,
      "Requests are limited: if everybody seems to come from the proxy's address, add the proxy " +
        "to MATRIXRTC_TRUSTED_PROXIES, or the limit hits everyone at once.",
    );
  }
  if (status === 404) {
    if (errcode !== undefined && !isOurs(answer)) {
      return fail(seen, `The homeserver answers there, not this service. ${PREFIX_REMEDY}`);
    }
    return fail(seen, PREFIX_REMEDY);
  }
  if (look === "html") {
    return fail(
      seen,
      "A web page answers there: route this path to the authorization service, before the rule " +
        "that serves the page.",
    );
  }
  if (look === "livekit-ok") {
    return fail(
      seen,
      "LiveKit answers there: its route takes this path too. Route this path to the " +
        "authorization service, before the SFU's rule.",
    );
  }
  if (errcode === undefined && look !== "empty") {
    return fail(seen, `Something else answers there. ${PREFIX_REMEDY}`);
  }
  return undefined;
}

/** Every reply of this service has it. */
function isOurs(answer: Answer): boolean {
  return answer.header("x-request-id").length > 0;
}

/** D1: does the proxy reach a living service. It only warns: some leave this path out on purpose. */
export function judgeHealth(exchange: Exchange, url: string): Finding {
  if (!exchange.answered) return unreachable(exchange, url);
  if (exchange.status === 200 && lookOf(exchange) === "empty") return pass(`${url}: 200`);
  const route = judgeRoute(exchange, url);
  if (route !== undefined && exchange.status >= 500) return route;
  return warn(
    `${url}: ${describeAnswer(exchange)}`,
    "Not routed, as in setups that do not show it: monitoring from outside cannot use it.",
  );
}

/**
 * D3, D4: does an endpoint refuse what it should refuse, in the service's words.
 *
 * @param post The answer to `POST` of `{}`.
 * @param get The answer to `GET`; absent where it is not looked at.
 */
export function judgeTokenEndpoint(
  post: Exchange,
  get: Exchange | undefined,
  url: string,
): Finding {
  if (!post.answered) return unreachable(post, url);
  const route = judgeRoute(post, url);
  if (route !== undefined) return forPath(route, url);
  const seen = `POST ${url}: ${describeAnswer(post)}`;
  if (post.status === 405) {
    return fail(
      seen,
      "Something there takes no POST: a proxy rule for files, or for GET only. Pass all methods on.",
    );
  }
  if (post.status === 401 || post.status === 403) {
    return fail(
      seen,
      "The proxy wants a login or blocks the request (a firewall's rule, basic authentication): " +
        "except this path, clients show their own tokens.",
    );
  }
  if (post.status !== 400 || errcodeOf(post) === undefined) {
    return fail(
      seen,
      "Expected was 400 with an errcode. Look at the service's log and the proxy's.",
    );
  }
  if (get?.answered && get.status !== 405) {
    return warn(
      `GET ${url}: ${describeAnswer(get)}, but POST reaches the service`,
      "The proxy treats methods differently: pass all of them on, preflights above all.",
    );
  }
  if (!isOurs(post)) {
    return warn(
      `${seen}, without this service's X-Request-Id`,
      "Another authorization service seems to answer: if it is not yours, clients wait for media " +
        "for ever. Set livekit_service_url to this one, or let the proxy keep X-Request-Id.",
    );
  }
  return pass(`${seen}${get === undefined ? "" : ", GET 405"}`);
}

/** Where only one of several paths is missing, the remedy says so. */
function forPath(finding: Finding, url: string): Finding {
  if (!url.endsWith("/get_token") || !/ 404 /.test(`${finding.evidence} `)) return finding;
  return fail(
    finding.evidence,
    "If the older /sfu/get is passed on, forward /get_token as well: newer clients say " +
      `NO_MATRIX_2_0_AUTHORIZATION_SERVICE. ${finding.remedy}`,
  );
}
