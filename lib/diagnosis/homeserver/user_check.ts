/** E6: what a user's client does first: an OpenID token, and whom the homeserver vouches for. */

import type { Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { errcodeOf } from "../describe_answer.ts";
import type { TokenOwner } from "../facts.ts";
import type { Exchange } from "../probe.ts";
import { askUserinfo, lookAtFederation } from "./federation.ts";

/** What came of it. */
export interface UserFacts {
  readonly owner: TokenOwner;
  /** The request for the OpenID token. */
  readonly issued?: Exchange;
  /** Userinfo, asked with that token; absent where there was none, or nobody to ask. */
  readonly userinfo?: Exchange;
}

/** Gathers them; nothing where no user's token was given. */
export async function lookAtUser(context: DoctorContext): Promise<UserFacts | undefined> {
  const { facts, probe, userToken } = context;
  const owner = await facts.tokenOwner();
  if (owner === undefined || userToken === undefined) return undefined;
  if (owner.userId === undefined) return { owner };
  const { baseUrl, userId, serverName } = owner;
  const path = `/_matrix/client/v3/user/${encodeURIComponent(userId)}/openid/request_token`;
  const issued = await probe(baseUrl + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${userToken.reveal()}`,
      "content-type": "application/json",
    },
    body: "{}",
  });
  const token = textIn(issued, "access_token");
  const { resolved } = await lookAtFederation(context, serverName);
  if (token === undefined || resolved === undefined) return { owner, issued };
  return { owner, issued, userinfo: await askUserinfo(context, resolved, token) };
}

/** Judges them. The user ID is the asking person's own. */
export function judgeUser(facts: UserFacts | undefined): Finding {
  if (facts === undefined) {
    return { verdict: "SKIP", evidence: "needs a user's access token (--user-token-file)" };
  }
  const { owner, issued, userinfo } = facts;
  const fail = (evidence: string, remedy: string): Finding => ({
    verdict: "FAIL",
    evidence,
    remedy,
  });
  if (owner.userId === undefined) {
    return fail(owner.why, "Give a fresh access token of a user of the first server name.");
  }
  const { userId, serverName } = owner;
  if (textIn(issued, "access_token") === undefined) {
    return fail(
      `the homeserver issues no OpenID token: ${describe(issued)}`,
      "Forward /_matrix/client to the homeserver as it is; see its log.",
    );
  }
  const vouching = textIn(issued, "matrix_server_name");
  if (vouching !== serverName) {
    return fail(
      `the token is issued by another server name than ${serverName}`,
      "List the name that the homeserver has as server_name in LIVEKIT_FULL_ACCESS_HOMESERVERS.",
    );
  }
  if (userinfo === undefined) {
    return { verdict: "SKIP", evidence: `${serverName} could not be resolved (E1)` };
  }
  const sub = textIn(userinfo, "sub");
  if (sub === userId && userId.slice(userId.indexOf(":") + 1) === serverName) {
    return { verdict: "PASS", evidence: `${serverName} vouches for its user` };
  }
  return fail(
    sub === undefined
      ? `userinfo does not know a token just issued: ${describe(userinfo)}`
      : `userinfo vouches for somebody else than the user whose token it is`,
    `The federation API found for ${serverName} (E1) is another server's than its client API: ` +
      "correct the delegation or the overrides.",
  );
}

function describe(exchange: Exchange | undefined): string {
  if (exchange === undefined) return "it was not asked";
  if (!exchange.answered) return exchange.message;
  return `HTTP ${exchange.status} ${errcodeOf(exchange) ?? ""}`.trim();
}

function textIn(exchange: Exchange | undefined, field: string): string | undefined {
  if (exchange === undefined || !exchange.answered || exchange.status !== 200) return undefined;
  const value = (exchange.json as Record<string, unknown> | null | undefined)?.[field];
  return typeof value === "string" ? value : undefined;
}
