/** What the homeserver says on the paths that it should pass on to this service. */

import type { Finding } from "../check.ts";
import { describeExchange, errcodeOf } from "../describe_answer.ts";
import type { Exchange } from "../probe.ts";

/** I2: judges `get_token` without a token. */
export function judgeUnauthenticated(exchange: Exchange): Finding {
  const evidence = `get_token without a token: ${describeExchange(exchange)}`;
  if (exchange.answered && exchange.status === 401 && errcodeOf(exchange) !== undefined) {
    return { verdict: "PASS", evidence };
  }
  const fail = (remedy: string): Finding => ({ verdict: "FAIL", evidence, remedy });
  if (!exchange.answered) return fail("The client API does not answer: see E4.");
  if (exchange.status === 404 || exchange.status === 405) {
    return fail(
      "Synapse: set experimental_features msc4512_enabled and msc4502_enabled, load the " +
        "registration with its proxy_prefix, and restart all workers that serve this path; and " +
        "forward it there.",
    );
  }
  if (exchange.status >= 502 && exchange.status <= 504) {
    return fail("The homeserver's proxy does not reach the homeserver: check the port there.");
  }
  return fail("Something else than the homeserver answers there: forward /_matrix/client to it.");
}

// Synapse answers 500 then, as it does to all that it did not expect.
const NOT_REACHED = "The homeserver does not reach this service at the registration's proxy_url: " +
  "start the service, or correct the address.";

/** I3: judges `get_token` with a user's token and a room that the user is joined to. */
export function judgeUserToken(exchange: Exchange, claims: JoinClaims | undefined): Finding {
  const evidence = `get_token as a user: ${describeExchange(exchange)}`;
  const fail = (remedy: string, seen = evidence): Finding => ({
    verdict: "FAIL",
    evidence: seen,
    remedy,
  });
  if (!exchange.answered) return fail("The client API does not answer: see E4.");
  const { status } = exchange;
  if (status === 200) return judgeClaims(claims);
  switch (status) {
    case 400:
      return fail(
        "The SFU's URL that the homeserver announces and LIVEKIT_URL must be equal to the letter " +
          "(watch the slash at the end); if they are, see the service's log.",
      );
    case 401:
      return fail("The homeserver does not know the user's token: give a fresh one.");
    case 403:
      return fail(
        "The homeserver says that the user is not joined in the room: give one where they are, " +
          "or let LIVEKIT_HS_SERVER_NAME be the homeserver's own name.",
      );
    case 404:
      return fail("The homeserver does not pass it on: see I2.");
    case 500:
      if (/create room/i.test(exchange.text)) {
        return fail("The service could not create the room on the SFU: see F2 and F3.");
      }
      return fail(NOT_REACHED);
    case 502:
      return fail(`${NOT_REACHED} Or is_joined fails: see I1.`);
    default:
      return fail("See the logs of the homeserver and of this service.");
  }
}

/** What a join token lets its holder do, verified. */
export interface JoinClaims {
  readonly video?: Readonly<Record<string, unknown>>;
  readonly exp?: unknown;
  readonly nbf?: unknown;
}

function judgeClaims(claims: JoinClaims | undefined): Finding {
  if (claims === undefined) {
    return {
      verdict: "FAIL",
      evidence: "the join token that came is not signed with LIVEKIT_SECRET",
      remedy: "The running service has another key than this configuration: restart it.",
    };
  }
  const { video = {}, exp, nbf } = claims;
  const isJoin = video.roomJoin === true && typeof video.room === "string" &&
    video.canPublish === true && video.roomCreate !== true;
  if (isJoin && typeof exp === "number" && typeof nbf === "number") {
    return { verdict: "PASS", evidence: `a join token, good for ${exp - nbf} s` };
  }
  return {
    verdict: "FAIL",
    evidence: "a token came that does not grant what a user of the own homeserver needs",
    remedy: "Is another service behind the homeserver? Check the registration's proxy_url.",
  };
}

/** I4: judges a ping with the homeserver's token at this service. */
export function judgePing(exchange: Exchange): Finding {
  const evidence = `ping at this service: ${describeExchange(exchange)}`;
  if (exchange.answered && exchange.status === 200) return { verdict: "PASS", evidence };
  const fail = (remedy: string): Finding => ({ verdict: "FAIL", evidence, remedy });
  if (!exchange.answered) {
    return fail("The service is not running where the registration's proxy_url leads.");
  }
  if (exchange.status === 401 || exchange.status === 403) {
    return fail(
      "The running service has another hs_token than this configuration: let service and " +
        "homeserver load the same registration file, and restart both.",
    );
  }
  if (exchange.status === 404) {
    return fail(
      "The running service is not in homeserver mode: restart it with this configuration.",
    );
  }
  return fail("Something else than this service answers there: check the port.");
}
