import { collectSecret } from "../../support/evidence.ts";

/** A user of a homeserver with a device, as registration returns it. */
export interface MatrixUser {
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
}

/** What a homeserver returns when a client asks for an OpenID token; passed on as it is. */
export interface OpenIdToken {
  access_token: string;
  token_type: string;
  matrix_server_name: string;
  expires_in: number;
}

/** The few calls of the client-server API that the tests make. */
export interface MatrixClient {
  /** Says whether the homeserver answers `/health`. */
  isHealthy(signal: AbortSignal): Promise<boolean>;
  /** Registers a new user. */
  register(localpart: string): Promise<MatrixUser>;
  /** Asks for an OpenID token of a user. */
  requestOpenIdToken(user: MatrixUser): Promise<OpenIdToken>;
  /**
   * Makes any other call for a user.
   *
   * @param path Path and query below the homeserver's address.
   * @param body Sent as JSON; absent where the method has none.
   * @throws {Error} On any status that is no success; the message has the path without its query.
   */
  // deno-lint-ignore no-explicit-any -- the tests look into whatever came
  request(user: MatrixUser, method: string, path: string, body?: unknown): Promise<any>;
  /**
   * Makes a call and returns what came, whatever it is; a body that is not read must be cancelled.
   *
   * @param path Path and query below the homeserver's address.
   * @param init As for `fetch`.
   */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Closes the connections. */
  close(): void;
}

/** What {@linkcode createMatrixClient} needs. */
export interface MatrixClientOptions {
  /** Where the client-server API answers. */
  baseUrl: string;
  /** The CA that the homeserver's certificate comes from. */
  caPem: string;
}

/** Makes a client of one homeserver for any of its users. */
export function createMatrixClient({ baseUrl, caPem }: MatrixClientOptions): MatrixClient {
  const client = Deno.createHttpClient({ caCerts: [caPem] });

  async function send<T>(
    method: string,
    path: string,
    body: unknown,
    accessToken?: string,
  ): Promise<T> {
    const response = await fetch(new URL(path, baseUrl), {
      client,
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
    });
    if (!response.ok) {
      const [pathOnly] = path.split("?");
      throw new Error(`${method} ${pathOnly} failed: ${response.status} ${await response.text()}`);
    }
    const reply = await response.json();
    collectSecret("access token", reply.access_token ?? "");
    collectSecret("delay ID", reply.delay_id ?? "");
    return reply;
  }

  return {
    async isHealthy(signal) {
      const response = await fetch(new URL("/health", baseUrl), { client, signal });
      await response.body?.cancel();
      return response.ok;
    },
    async register(localpart) {
      const reply = await send<{ user_id: string; device_id: string; access_token: string }>(
        "POST",
        "/_matrix/client/v3/register",
        {
          username: localpart,
          password: "of no value",
          auth: { type: "m.login.dummy" },
        },
      );
      return {
        userId: reply.user_id,
        deviceId: reply.device_id,
        accessToken: reply.access_token,
      };
    },
    async requestOpenIdToken({ userId, accessToken }) {
      const path = `/_matrix/client/v3/user/${encodeURIComponent(userId)}/openid/request_token`;
      const token = await send<OpenIdToken>("POST", path, {}, accessToken);
      collectSecret("OpenID token", token.access_token);
      return token;
    },
    request: ({ accessToken }, method, path, body) => send(method, path, body, accessToken),
    fetch: (path, init) => fetch(new URL(path, baseUrl), { ...init, client }),
    close: () => client.close(),
  };
}
