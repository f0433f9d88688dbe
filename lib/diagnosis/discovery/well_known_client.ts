/** `/.well-known/matrix/client`, as it is served, right or wrong. */

import type { Exchange, Probe } from "../probe.ts";
import { describeAnswer } from "../describe_answer.ts";
import { ORIGIN } from "../judge_allow_origin.ts";
import { isObject, serviceUrlsOf } from "./transport_list.ts";

/** What came of asking for the file. */
export interface WellKnownClient {
  /** What was asked for first. */
  readonly url: string;
  /** Where it was redirected to, one after the other. */
  readonly redirects: readonly string[];
  /** The last one, no redirect unless there were too many. */
  readonly exchange: Exchange;
  /** The file's content; absent where none came, or none that is a JSON object. */
  readonly content?: Readonly<Record<string, unknown>>;
  /** `base_url` of `m.homeserver`, without a slash at its end. */
  readonly baseUrl?: string;
  /** Why there is no {@linkcode WellKnownClient.baseUrl}. */
  readonly why?: string;
  /** `org.matrix.msc4143.rtc_foci`, whatever stands there; absent where nothing does. */
  readonly foci?: unknown;
  /** Every `livekit_service_url` there that is an http or https URL, as written. */
  readonly serviceUrls?: readonly string[];
}

const PATH = "/.well-known/matrix/client";
const FOCI = "org.matrix.msc4143.rtc_foci";
const MAX_REDIRECTS = 5;

/** Asks for the file of a server, following redirects as browsers do. */
export async function fetchWellKnownClient(
  serverName: string,
  probe: Probe,
): Promise<WellKnownClient> {
  const url = `https://${serverName}${PATH}`;
  const redirects: string[] = [];
  let exchange = await ask(url, probe);
  while (redirects.length < MAX_REDIRECTS) {
    const next = redirectOf(exchange, redirects.at(-1) ?? url);
    if (next === undefined) break;
    redirects.push(next);
    exchange = await ask(next, probe);
  }
  return { url, redirects, exchange, ...read(exchange) };
}

function ask(url: string, probe: Probe): Promise<Exchange> {
  if (!URL.canParse(url)) {
    return Promise.resolve({ answered: false, hop: "dns", message: `${url} is no URL` });
  }
  return probe(url, { headers: { origin: ORIGIN, accept: "application/json, */*" } });
}

function redirectOf(exchange: Exchange, from: string): string | undefined {
  if (!exchange.answered || exchange.status < 300 || exchange.status > 399) return undefined;
  const url = URL.parse(exchange.header("location")[0] ?? "", from);
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function read(exchange: Exchange): Omit<WellKnownClient, "url" | "redirects" | "exchange"> {
  if (!exchange.answered) return { why: exchange.message };
  if (exchange.status !== 200 || !isObject(exchange.json)) {
    return { why: `its well-known file is ${describeAnswer(exchange)}` };
  }
  const content = exchange.json;
  const homeserver = content["m.homeserver"];
  const baseUrl = isObject(homeserver) ? homeserver.base_url : undefined;
  const foci = content[FOCI];
  return {
    content,
    ...(typeof baseUrl === "string" && isHttpUrl(baseUrl)
      ? { baseUrl: baseUrl.replace(/\/+$/, "") }
      : { why: "its well-known file has no usable m.homeserver.base_url" }),
    ...foci !== undefined && { foci },
    serviceUrls: serviceUrlsOf(foci),
  };
}

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}
