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

  async function post<T>(path: string, body: unknown, accessToken?: string): Promise<T> {
    const response = await fetch(new URL(path, baseUrl), {
      client,
      method: "POST",
      body: JSON.stringify(body),
      headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
    });
    if (!response.ok) {
      throw new Error(`POST ${path} failed: ${response.status} ${await response.text()}`);
    }
    return await response.json();
  }

  return {
    async isHealthy(signal) {
      const response = await fetch(new URL("/health", baseUrl), { client, signal });
      await response.body?.cancel();
      return response.ok;
    },
    async register(localpart) {
      const reply = await post<{ user_id: string; device_id: string; access_token: string }>(
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
    requestOpenIdToken: ({ userId, accessToken }) =>
      post<OpenIdToken>(
        `/_matrix/client/v3/user/${encodeURIComponent(userId)}/openid/request_token`,
        {},
        accessToken,
      ),
    close: () => client.close(),
  };
}
