/** Asks a user's homeserver whom an OpenID token belongs to. */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { errcodeOf } from "../matrix/errcode.ts";
import { ForbiddenError, type Hop, UnauthorizedError, UpstreamError } from "../matrix/errors.ts";
import { isServerName } from "../matrix/server_name.ts";
import { serverNameOfUserId } from "../matrix/user_id.ts";
import type { OpenIdToken } from "../matrix/wire.ts";
import type { HttpClient, HttpResponse } from "../net/http_client.ts";
import type { ResolvedServer, ServerResolver } from "./resolve_server.ts";
import type { GateLimits, ServerGates } from "./server_gate.ts";
import type { UnreachableServers } from "./unreachable_servers.ts";

/** A user for whom the own homeserver has vouched. Nothing else in lib/ makes one. */
export interface VerifiedUser {
  readonly userId: string;
  /** The server that vouched, as the client named it. */
  readonly serverName: string;
}

/** Turns tokens into users; see {@linkcode createOpenIdVerifier}. */
export type OpenIdVerifier = (token: OpenIdToken, timeoutMs: number) => Promise<VerifiedUser>;

/** What verifying needs. */
export interface OpenIdVerifierOptions {
  readonly client: HttpClient;
  readonly resolver: ServerResolver;
  readonly gates: ServerGates;
  readonly limits: (serverName: string) => GateLimits;
  readonly unreachable: UnreachableServers;
  /** Whether users of a server may come at all. */
  readonly isAdmitted: (serverName: string) => boolean;
  /** Whether the operator named a server: failures are then forgotten sooner. */
  readonly isOwn: (serverName: string) => boolean;
  readonly clock: Clock;
}

const PATH = "/_matrix/federation/v1/openid/userinfo?access_token=";
const MAX_BODY_BYTES = 64 * 1024;
const REMEMBER_FAILURE_MS = 5_000;
const REMEMBER_OWN_FAILURE_MS = 1_000;
const REMEMBER_FAILURE_LONGEST_MS = 60_000;
const UTF_8 = new TextDecoder("utf-8", { fatal: true });
/** Failures that say that the server cannot be reached, whoever asks. */
const UNREACHABLE_HOPS: readonly Hop[] = ["dns", "policy", "tcp", "tls"];

/**
 * Makes the function that verifies OpenID tokens.
 *
 * The check that counts is that the user belongs to the very server that was
 * asked: without it any server could vouch for every user of any other.
 *
 * @returns A function that throws {@linkcode UnauthorizedError}, its cause an
 * {@linkcode UpstreamError} with the hop; {@linkcode ForbiddenError} for servers
 * that are not admitted, which are not asked; `UnavailableError` when too many
 * users of the server are waiting already.
 */
export function createOpenIdVerifier(options: OpenIdVerifierOptions): OpenIdVerifier {
  const { client, resolver, gates, limits, unreachable, clock } = options;

  function resolve(serverName: string, deadline: number): Promise<ResolvedServer> {
    const late = () => new UpstreamError("dns", `${serverName} could not be resolved in time`);
    const msLeft = deadline - clock.monotonic();
    return withDeadline(resolver.resolve(serverName), msLeft, clock, late);
  }

  async function ask({ accessToken, serverName }: OpenIdToken, deadline: number): Promise<string> {
    const server = resolver.peek(serverName) ?? await resolve(serverName, deadline);
    const response = await client.request(server.target, {
      method: "GET",
      path: server.basePath + PATH + encodeURIComponent(accessToken.reveal()),
      headers: { accept: "application/json" },
      timeoutMs: Math.max(deadline - clock.monotonic(), 0),
      maxBodyBytes: MAX_BODY_BYTES,
    });
    unreachable.remove(serverName);
    return readUserId(response, serverName, server);
  }

  function rememberFailure(serverName: string, error: UpstreamError): void {
    if (!UNREACHABLE_HOPS.includes(error.hop)) return;
    const firstMs = options.isOwn(serverName) ? REMEMBER_OWN_FAILURE_MS : REMEMBER_FAILURE_MS;
    const longestMs = options.isOwn(serverName)
      ? REMEMBER_OWN_FAILURE_MS
      : REMEMBER_FAILURE_LONGEST_MS;
    unreachable.add(serverName, error, firstMs, longestMs);
    resolver.forget(serverName);
  }

  return async (token, timeoutMs) => {
    const { serverName } = token;
    if (!isServerName(serverName)) {
      const cause = new UpstreamError("policy", "matrix_server_name is no server name");
      throw new UnauthorizedError({ cause });
    }
    if (!options.isAdmitted(serverName)) {
      throw new ForbiddenError("Users of this homeserver are not admitted");
    }
    const deadline = clock.monotonic() + timeoutMs;
    try {
      unreachable.check(serverName);
      const userId = await gates.run(serverName, limits(serverName), timeoutMs, async () => {
        // Whoever waited for a turn may learn meanwhile that the server is gone.
        unreachable.check(serverName);
        try {
          return await ask(token, deadline);
        } catch (error) {
          if (error instanceof UpstreamError) rememberFailure(serverName, error);
          throw error;
        }
      });
      return { userId, serverName };
    } catch (cause) {
      if (cause instanceof UpstreamError) throw new UnauthorizedError({ cause });
      throw cause;
    }
  };
}

function readUserId(
  { status, body }: HttpResponse,
  serverName: string,
  { how }: ResolvedServer,
): string {
  if (status !== 200) {
    throw new UpstreamError("answer", `${how}: userinfo says HTTP ${status}${errcodeIn(body)}`);
  }
  const sub = parseJson(body)?.sub;
  if (typeof sub !== "string") {
    throw new UpstreamError("answer", `${how}: userinfo is not JSON with a "sub"`);
  }
  const vouchedBy = serverNameOfUserId(sub);
  if (vouchedBy !== serverName) {
    // Not the "sub" itself: a user is nobody's business here, and it might hold the token.
    const whom = vouchedBy === undefined ? "nobody with a user ID" : `a user of ${vouchedBy}`;
    throw new UpstreamError(
      "answer",
      `${how}: userinfo vouches for ${whom}, not for one of its own`,
    );
  }
  return sub;
}

// Bytes that are no UTF-8 could be made to look like another user's ID, so they are nobody's.
function parseJson(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    return JSON.parse(UTF_8.decode(body)) ?? undefined;
  } catch {
    return undefined;
  }
}

function errcodeIn(body: Uint8Array): string {
  const errcode = errcodeOf(parseJson(body) ?? {});
  return errcode === undefined ? "" : ` ${errcode}`;
}
