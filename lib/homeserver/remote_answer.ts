/** What another server's `get_token` answered, as `fed_proxy` hands it on (MSC4512). */

import { errcodeOf } from "../matrix/errcode.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { Fields } from "../matrix/fields.ts";
import type { RemoteTokenAnswer } from "./remote_tokens.ts";

/** The other server's answer: a status and an object, the object empty for what was no JSON. */
export interface RemoteAnswer {
  readonly status: number;
  readonly content: Fields;
}

const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_URL_LENGTH = 2048;
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const SFU_PROTOCOLS: readonly string[] = ["ws:", "wss:", "http:", "https:"];

/**
 * Takes an answer of `fed_proxy` apart.
 *
 * @returns `undefined` for anything else than a status and its content.
 */
export function parseRemoteAnswer({ status, content }: Fields): RemoteAnswer | undefined {
  if (typeof status !== "number" || !Number.isInteger(status) || status < 100 || status > 599) {
    return undefined;
  }
  // `null` is what Synapse has in place of a refusal that is no JSON: of a proxy over there.
  if (content === null && status >= 300) return { status, content: {} };
  if (typeof content !== "object" || content === null || Array.isArray(content)) return undefined;
  return { status, content: content as Fields };
}

/** Says whether the other server has nothing at all at the path that was asked. */
export function isNoSuchPath({ status, content }: RemoteAnswer): boolean {
  const errcode = errcodeOf(content);
  return status === 404 && (errcode === "M_UNRECOGNIZED" || errcode === "M_NOT_FOUND");
}

/**
 * Says what another server's answer comes to.
 *
 * @param where For people: which server was asked for what. Nothing else of what the
 * other server says gets into a message but its status and code.
 * @throws {UpstreamError} For everything but a token and the two refusals with a meaning.
 */
export function interpretRemoteAnswer(answer: RemoteAnswer, where: string): RemoteTokenAnswer {
  const { status, content } = answer;
  const errcode = errcodeOf(content);
  if (status === 200) {
    const { jwt, url } = content;
    if (typeof jwt === "string" && jwt.length <= MAX_TOKEN_LENGTH && TOKEN.test(jwt)) {
      return { kind: "token", joinToken: jwt, url: isSfuUrl(url) ? url : undefined };
    }
    throw new UpstreamError("answer", `${where}: HTTP 200 without a token`);
  }
  if (status === 403 && errcode === "M_FORBIDDEN") return { kind: "forbidden" };
  if (status === 400 && errcode === "M_INVALID_PARAM") return { kind: "invalid-param" };
  const reason = isNoSuchPath(answer)
    ? ` ${errcode}: that server has no MSC4195, neither unstable nor stable`
    : errcode === undefined
    ? " without a Matrix error code"
    : ` ${errcode}`;
  throw new UpstreamError("answer", `${where}: HTTP ${status}${reason}`);
}

function isSfuUrl(url: unknown): url is string {
  return typeof url === "string" && url.length <= MAX_URL_LENGTH &&
    SFU_PROTOCOLS.includes(URL.parse(url)?.protocol ?? "");
}
