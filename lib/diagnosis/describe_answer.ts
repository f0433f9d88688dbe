/** Answers in a few words, told apart by what they look like. */

import { printable } from "../config/parse/quote_value.ts";
import { isObject } from "./discovery/transport_list.ts";
import type { Answer, Exchange } from "./probe.ts";

/** Who seems to be speaking. */
export type Look =
  /** JSON with an errcode, as all of Matrix has it, this service included. */
  | "matrix-error"
  | "json"
  /** A web page. */
  | "html"
  /** What LiveKit says at its root. */
  | "livekit-ok"
  | "empty"
  | "text";

/**
 * Tells what an answer looks like.
 *
 * @param answer Its body and content type are looked at.
 */
export function lookOf(
  { text, json, contentType }: Pick<Answer, "text" | "json" | "contentType">,
): Look {
  const trimmed = text.trim();
  if (isObject(json) && typeof json.errcode === "string") return "matrix-error";
  if (json !== undefined && typeof json === "object") return "json";
  if (trimmed === "") return "empty";
  if (trimmed === "OK") return "livekit-ok";
  if (contentType === "text/html" || /^<(?:!doctype|html|head|body)\b/i.test(trimmed)) {
    return "html";
  }
  return "text";
}

/** The errcode of a Matrix error; absent for anything else. */
export function errcodeOf(answer: Pick<Answer, "json">): string | undefined {
  return isObject(answer.json) && typeof answer.json.errcode === "string"
    ? /^[A-Z][A-Z0-9_.]{0,60}$/.exec(answer.json.errcode)?.[0] ?? "with an odd errcode"
    : undefined;
}

const MAX_TEXT = 60;
/** Tokens are longer. */
const MAX_WORD = 16;

/**
 * Says in a few words what an answer is: `404 M_UNRECOGNIZED`, `200 with a web page`.
 */
export function describeAnswer(answer: Answer): string {
  const { status, text } = answer;
  const location = answer.header("location")[0];
  if (status >= 300 && status <= 399 && location !== undefined) {
    return `${status}, a redirect to ${printable(withoutQuery(location)).slice(0, 120)}`;
  }
  switch (lookOf(answer)) {
    case "matrix-error":
      return `${status} ${errcodeOf(answer)}`;
    case "json":
      return `${status} with JSON`;
    case "html":
      return `${status} with a web page${titleOf(text)}`;
    case "livekit-ok":
      return `${status} "OK"`;
    case "empty":
      return `${status} without content`;
    case "text":
      return `${status} with ${quoteWords(text) ?? "text"}`;
  }
}

/** The same for an exchange that may have come to nothing. */
export function describeExchange(exchange: Exchange): string {
  return exchange.answered ? describeAnswer(exchange) : printable(exchange.message);
}

function titleOf(html: string): string {
  const words = quoteWords(/<title[^>]*>([^<]*)/i.exec(html)?.[1] ?? "");
  return words === undefined ? "" : ` (${words})`;
}

/** Plain words only: what an unknown server says may hold anything, a token among it. */
function quoteWords(text: string): string | undefined {
  const line = text.trim().split("\n")[0]!.trim();
  const isPlain = line.length <= MAX_TEXT && /^\w[\w .,:!'&|()-]*$/.test(line) &&
    line.split(" ").every((word) => word.length <= MAX_WORD);
  return isPlain ? `"${line}"` : undefined;
}

/** Queries may hold tokens. */
function withoutQuery(location: string): string {
  return location.split(/[?#]/)[0]!;
}
