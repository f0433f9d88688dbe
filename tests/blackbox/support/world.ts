import { type Homeserver, startHomeserver } from "../../fakes/homeserver.ts";
import { type Sfu, startSfu } from "../../fakes/sfu.ts";
import type { RunningService } from "../../support/service.ts";
import { createTestCa } from "../../support/test_ca.ts";
import { secret, start } from "./watched.ts";

/** The service between its stand-ins. */
export interface World extends AsyncDisposable {
  readonly service: RunningService;
  /** Has full access. */
  readonly own: Homeserver;
  /** Has not. */
  readonly other: Homeserver;
  readonly sfu: Sfu;
  /** The CA that vouches for both homeservers, as a file. */
  readonly caFile: string;
  /** The user IDs of {@linkcode ALICE} and {@linkcode BOB}. */
  readonly alice: string;
  readonly bob: string;
  /** What the service was started with. */
  readonly env: Readonly<Record<string, string>>;
}

/** The OpenID token of a user of the own server. */
export const ALICE = secret("openid-token-of-alice-&-\u00e9");
/** What either homeserver knows an application service by. */
export const AS_TOKEN = secret("as-token-0123456789");
/** The OpenID token of a user of the other server. */
export const BOB = secret("openid-token-of-bob");

/**
 * Starts a world.
 *
 * @param env Added to the service's environment; a function gets the rest of the world.
 */
export async function startWorld(
  env:
    | Record<string, string>
    | ((world: Omit<World, "service" | "env">) => Record<string, string>) = {},
): Promise<World> {
  const ca = await createTestCa();
  const tls = await ca.issue(["localhost", "127.0.0.1"]);
  const appService = { asToken: AS_TOKEN };
  const own = startHomeserver({ users: {}, tls, appService });
  const other = startHomeserver({ users: {}, tls, appService });
  const sfu = startSfu({ prefix: "/livekit/sfu" });
  const caFile = await Deno.makeTempFile({ suffix: ".pem" });
  await Deno.writeTextFile(caFile, ca.pem);
  const alice = `@alice:${own.serverName}`;
  const bob = `@bob:${other.serverName}`;
  own.settings.users[ALICE] = alice;
  other.settings.users[BOB] = bob;

  const close = async () => {
    await Promise.all([own.close(), other.close(), sfu.close()]);
    await Deno.remove(caFile);
  };
  const outside = { own, other, sfu, caFile, alice, bob, [Symbol.asyncDispose]: close };
  const wholeEnv = {
    LIVEKIT_URL: sfu.liveKitUrl,
    LIVEKIT_KEY: sfu.key,
    LIVEKIT_SECRET: sfu.secret,
    LIVEKIT_JWT_BIND: "127.0.0.1:0",
    LIVEKIT_FULL_ACCESS_HOMESERVERS: own.serverName,
    LIVEKIT_LOG_LEVEL: "debug",
    MATRIXRTC_CA_FILE: caFile,
    MATRIXRTC_ALLOW_NETWORKS: "127.0.0.0/8 ::1/128",
    MATRIXRTC_RATE_LIMIT_PER_CLIENT: "off",
    MATRIXRTC_RATE_LIMIT_PER_SERVER: "off",
    ...(typeof env === "function" ? env(outside) : env),
  };
  try {
    const service = await start({ env: wholeEnv });
    return {
      ...outside,
      env: wholeEnv,
      service,
      async [Symbol.asyncDispose]() {
        await service.kill();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A token as a homeserver hands it out. */
export function openIdToken(accessToken: string, serverName: string) {
  return {
    access_token: accessToken,
    token_type: "Bearer",
    matrix_server_name: serverName,
    expires_in: 3600,
  };
}

/** A whole body of `POST /get_token` from Alice. */
export function getTokenBody({ own, alice }: Pick<World, "own" | "alice">) {
  return {
    room_id: "!room:example.com",
    slot_id: "m.call#ROOM",
    openid_token: openIdToken(ALICE, own.serverName),
    member: { id: "memberABC", claimed_user_id: alice, claimed_device_id: "DEVICE123" },
  };
}

/** A whole body of `POST /sfu/get` from Alice. */
export function sfuGetBody({ own }: Pick<World, "own">) {
  return {
    room: "!room:example.com",
    device_id: "DEVICE123",
    openid_token: openIdToken(ALICE, own.serverName),
  };
}

/** An answer with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body's fields; none where it is no JSON. */
  readonly json: Record<string, unknown>;
}

/** Sends a request to the service. A body that is not a text or bytes goes out as JSON. */
export async function ask(
  service: Pick<RunningService, "url">,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array ||
    body instanceof ReadableStream;
  const response = await fetch(service.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: isRaw ? body as BodyInit : JSON.stringify(body) }),
  });
  return await readAnswer(response);
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  let json = {};
  try {
    json = JSON.parse(text) ?? {};
  } catch {
    // An empty body, or a page.
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** Where a service answers, as `Deno.connect` takes it. */
export function addressOf(
  { url }: Pick<RunningService, "url">,
): { hostname: string; port: number } {
  const { hostname, port } = new URL(url);
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** Sends bytes as they are and returns all that comes back. The request should end the connection. */
export async function exchangeBytes(connection: Deno.Conn, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) {
    sent += await connection.write(bytes.subarray(sent));
  }
  return await readUntil(connection);
}

/** Reads until the other side ends, or until a text has come. */
export async function readUntil(connection: Deno.Conn, end?: string): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  while (end === undefined || !text.includes(end)) {
    const length = await connection.read(buffer);
    if (length === null) break;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return text;
}
