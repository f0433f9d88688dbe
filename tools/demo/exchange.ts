import { type ClaimGrants, TokenVerifier } from "livekit-server-sdk";

/** What a client sends to `/get_token`. */
export interface TokenRequest {
  room_id: string;
  slot_id: string;
  openid_token: {
    access_token: string;
    token_type: string;
    matrix_server_name: string;
    expires_in: number;
  };
  member: { id: string; claimed_user_id: string; claimed_device_id: string };
}

/** What the service answered, and what its token says. */
export interface Exchange {
  /** The request's body. */
  request: TokenRequest;
  /** Status and body of the reply. */
  status: number;
  reply: Record<string, unknown>;
  /** From sending the request to the end of the reply. */
  milliseconds: number;
  /** The join token taken apart; absent when there was none. */
  token?: {
    header: Record<string, unknown>;
    /** All claims, as the SFU reads them after it has checked the signature. */
    claims: ClaimGrants;
  };
}

/**
 * Asks the service for a join token and reads the answer as an SFU would: with LiveKit's own
 * verifier.
 *
 * @param url Where the service answers.
 * @param request The body.
 * @param key The SFU's API key and secret.
 * @returns Both sides of the exchange.
 * @throws {Error} When the service cannot be reached, or signed with another secret.
 */
export async function exchangeToken(
  url: string,
  request: TokenRequest,
  { key, secret }: { key: string; secret: string },
): Promise<Exchange> {
  const start = performance.now();
  const response = await fetch(`${url}/get_token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(20_000),
  });
  const reply = await response.json() as Record<string, unknown>;
  const milliseconds = performance.now() - start;
  const exchange = { request, status: response.status, reply, milliseconds };
  if (typeof reply.jwt !== "string") return exchange;
  const claims = await new TokenVerifier(key, secret).verify(reply.jwt);
  const [header = ""] = reply.jwt.split(".");
  return { ...exchange, token: { header: decodePart(header), claims } };
}

function decodePart(part: string): Record<string, unknown> {
  const bytes = Uint8Array.fromBase64(part, { alphabet: "base64url" });
  return JSON.parse(new TextDecoder().decode(bytes));
}
