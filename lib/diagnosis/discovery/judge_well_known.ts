/** Judges `/.well-known/matrix/client`, from which clients learn everything else. */

import type { Finding } from "../check.ts";
import { describeAnswer, lookOf } from "../describe_answer.ts";
import { fail, pass, skip, unreachable, warn } from "../finding.ts";
import { judgeAllowOrigin } from "../judge_allow_origin.ts";
import { isLiveKit, isObject } from "./transport_list.ts";
import type { WellKnownClient } from "./well_known_client.ts";

const LOGIN = /log[-_]?in|sign[-_]?in|auth|sso|account/i;

/** C1: is it there, and does it name the client API. */
export function judgeWellKnown(file: WellKnownClient): Finding {
  const { url, redirects, exchange, content, baseUrl } = file;
  if (!exchange.answered) return unreachable(exchange, redirects.at(-1) ?? url);
  const way = redirects.length === 0 ? "" : `, after a redirect to ${bare(redirects.at(-1)!)}`;
  const seen = `${url}: ${describeAnswer(exchange)}${way}`;
  if (content === undefined) {
    const isLogin = redirects.some((redirect) => LOGIN.test(redirect));
    if (isLogin) {
      return fail(seen, "Serve the file without a redirect to a login: except it from the login.");
    }
    if (exchange.status === 404) {
      return fail(
        seen,
        "Serve /.well-known/matrix/client on the bare server name, the part after the colon in " +
          "user IDs: another host's file does not count.",
      );
    }
    if (exchange.status >= 502 && exchange.status <= 504) {
      return fail(seen, "The proxy there does not reach what should serve this file.");
    }
    return fail(
      seen,
      lookOf(exchange) === "html"
        ? "A web page answers for every path of the server name: serve the JSON file at this one."
        : "Serve a JSON object there, with status 200 and without a redirect.",
    );
  }
  if (redirects.some((redirect) => redirect.startsWith("http:"))) {
    return fail(seen, "Redirect to https only: browsers do not follow to plain http.");
  }
  if (baseUrl === undefined) {
    return fail(
      `${url} has no usable m.homeserver.base_url`,
      'Add "m.homeserver": {"base_url": "https://…"} with the address of the client API.',
    );
  }
  if (baseUrl.startsWith("http:")) {
    return warn(
      `${url} says ${baseUrl}, without TLS`,
      "Set base_url to an https address: web clients on https pages cannot use plain http.",
    );
  }
  return pass(`${url} says ${baseUrl}${way}`);
}

const EXAMPLE = '{"type": "livekit", "livekit_service_url": "https://…"}';

/** C2: does it name the service, for clients that look there. */
export function judgeFoci({ content, foci, serviceUrls }: WellKnownClient): Finding {
  if (content === undefined) return skip("the file could not be read (C1)");
  if (foci === undefined) {
    return fail(
      "the file has no org.matrix.msc4143.rtc_foci",
      `Add "org.matrix.msc4143.rtc_foci": [${EXAMPLE}] with this service's public address: ` +
        "clients say MISSING_MATRIX_RTC_FOCUS or MISSING_MATRIX_RTC_TRANSPORT without it. " +
        "Synapse does not copy it from matrix_rtc.transports.",
    );
  }
  const entry = Array.isArray(foci) ? foci.find(isLiveKit) : undefined;
  if (entry === undefined) {
    return fail(
      Array.isArray(foci) ? "rtc_foci has no entry of type livekit" : "rtc_foci is no list",
      `Set org.matrix.msc4143.rtc_foci to [${EXAMPLE}].`,
    );
  }
  return judgeServiceUrl(entry.livekit_service_url, serviceUrls ?? []);
}

function judgeServiceUrl(value: unknown, serviceUrls: readonly string[]): Finding {
  if (typeof value !== "string" || !URL.canParse(value)) {
    return fail(
      "the livekit entry has no absolute livekit_service_url",
      "Set livekit_service_url to this service's public address, https:// and path included.",
    );
  }
  const { protocol, pathname, hostname } = new URL(value);
  if (/^wss?:$/.test(protocol)) {
    return fail(
      `livekit_service_url is ${value}, an address of the SFU`,
      "Set livekit_service_url to this service's https address: it hands out tokens, the SFU " +
        "does not.",
    );
  }
  if (/\/(?:sfu\/get|get_token|healthz)\/*$/.test(pathname)) {
    return fail(
      `livekit_service_url is ${value}, with an endpoint's path at its end`,
      "Remove the endpoint from livekit_service_url: clients add /get_token or /sfu/get " +
        "themselves.",
    );
  }
  if (protocol !== "https:" && !/^(?:localhost|127\..*|\[::1\])$/.test(hostname)) {
    return fail(
      `livekit_service_url is ${value}, not https`,
      "Give livekit_service_url an https address: web clients on https pages cannot use another.",
    );
  }
  const others = serviceUrls.length > 1 ? `, and ${serviceUrls.length - 1} more` : "";
  return pass(`livekit_service_url is ${value}${others}`);
}

/** C3: may web clients read it. */
export function judgeWellKnownCors({ exchange, content }: WellKnownClient): Finding {
  if (!exchange.answered || content === undefined) return skip("the file could not be read (C1)");
  return judgeAllowOrigin(exchange, "the file") ?? pass("one Access-Control-Allow-Origin");
}

/** Without its query, which may hold anything. */
function bare(url: string): string {
  return url.split(/[?#]/)[0]!;
}

/** Whether a file names a service at all, in whatever form. */
export function hasFoci({ content }: WellKnownClient): boolean {
  return isObject(content) && Array.isArray(content["org.matrix.msc4143.rtc_foci"]);
}
