import { UpstreamError } from "../matrix/errors.ts";
import type { HomeserverAnswer } from "./own_homeserver.ts";

/** The homeserver itself said no, or something other than was asked. */
export class RefusedError extends UpstreamError {
  override readonly name = "RefusedError";

  /** @param errcode The Matrix error code, where there was one. */
  constructor(message: string, readonly status: number, readonly errcode: string | undefined) {
    super("answer", message);
  }
}

/** What the operator can do about a refusal, by the error code that came with it. */
export type Remedies = Readonly<Record<string, string>>;

const GENERAL_REMEDIES: Remedies = {
  M_UNKNOWN_TOKEN:
    "the homeserver does not know LIVEKIT_AS_TOKEN (has it loaded the same registration file?)",
  M_MISSING_TOKEN: "a proxy in front of the homeserver removes the Authorization header",
  M_LIMIT_EXCEEDED: "the registration should have rate_limited: false",
};

/**
 * Makes the error for an answer that is of no use, with what can be done about it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { refusal } from "./refusal.ts";
 *
 * const errcode = "M_FORBIDDEN";
 * const answer = { status: 403, errcode, fields: { errcode }, where: "is_joined at https://hs" };
 * assertEquals(
 *   refusal(answer, { M_FORBIDDEN: "the scope is missing" }).message,
 *   "is_joined at https://hs: HTTP 403 M_FORBIDDEN: the scope is missing",
 * );
 * ```
 *
 * @param remedies For this question; they come before the general ones.
 */
export function refusal(answer: HomeserverAnswer, remedies: Remedies): RefusedError {
  const { status, errcode, where } = answer;
  const remedy = errcode === undefined
    ? ", but not what was asked for"
    : ` ${errcode}${describeRemedy(errcode, remedies)}`;
  return new RefusedError(`${where}: HTTP ${status}${remedy}`, status, errcode);
}

function describeRemedy(errcode: string, remedies: Remedies): string {
  for (const table of [remedies, GENERAL_REMEDIES]) {
    if (Object.hasOwn(table, errcode)) return `: ${table[errcode]}`;
  }
  return "";
}
