/** Questions to the own homeserver, asked as its application service. */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { parseJsonObject } from "../json_object.ts";
import { errcodeOf } from "../matrix/errcode.ts";
import { UpstreamError } from "../matrix/errors.ts";
import type { Fields } from "../matrix/fields.ts";
import type { HttpClient, HttpResponse } from "../net/http_client.ts";
import type { BaseTarget } from "../net/target.ts";
import type { Secret } from "../secret.ts";
import type { ClientApi } from "./client_api.ts";

/** A question to the client API. */
export interface Question {
  /** For people: what is asked, as it stands in errors. No ID, no secret. */
  readonly what: string;
  /** From `/_matrix/` on, percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Makes it a POST of JSON; without, it is a GET. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** When the answer has to be there, in the terms of the clock's `monotonic`. */
  readonly deadline: number;
}

/** What the homeserver itself said, success or not. */
export interface HomeserverAnswer {
  readonly status: number;
  /** The JSON object that came. */
  readonly fields: Fields;
  /** The Matrix error code, where there is one that looks like one. */
  readonly errcode: string | undefined;
  /** For people: `is_joined at https://matrix.example.org`. */
  readonly where: string;
}

/** The own homeserver, to its application service. */
export interface OwnHomeserver {
  readonly serverName: string;
  /**
   * Asks once. Redirects are not followed: a token in hand goes to the client API
   * of the configured server name and nowhere else.
   *
   * @throws {UpstreamError} When no answer came that can be the homeserver's own:
   * a JSON object, and with an error code unless the status is 2xx.
   */
  ask(question: Question): Promise<HomeserverAnswer>;
}

/** What asking needs. */
export interface OwnHomeserverOptions {
  readonly serverName: string;
  readonly asToken: Secret;
  readonly client: HttpClient;
  readonly clientApi: ClientApi;
  readonly clock: Clock;
}

const MAX_BODY_BYTES = 64 * 1024;

/** Makes it. Nothing is connected to before something is asked. */
export function createOwnHomeserver(options: OwnHomeserverOptions): OwnHomeserver {
  const { serverName, asToken, client, clientApi, clock } = options;

  async function resolve(deadline: number): Promise<BaseTarget> {
    const resolving = clientApi.resolve(serverName);
    // What is known comes at once, and needs no timer.
    if (clientApi.peek(serverName) !== undefined) return await resolving;
    const late = () =>
      new UpstreamError("http", `${serverName}'s client API could not be found in time`);
    return await withDeadline(resolving, deadline - clock.monotonic(), clock, late);
  }

  async function send(base: BaseTarget, question: Question): Promise<HomeserverAnswer> {
    const { target, basePath } = base;
    const where = `${question.what} at ${target.protocol}://${target.hostHeader}${basePath}`;
    const timeoutMs = question.deadline - clock.monotonic();
    if (timeoutMs <= 0) throw new UpstreamError("http", `${where}: no time was left to ask`);
    const { query = {}, body } = question;
    const response = await client.request(target, {
      method: body === undefined ? "GET" : "POST",
      path: basePath + question.path + formatQuery(query),
      headers: {
        authorization: `Bearer ${asToken.reveal()}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      timeoutMs,
      maxBodyBytes: MAX_BODY_BYTES,
    });
    return read(response, where);
  }

  return {
    serverName,
    async ask(question) {
      const base = await resolve(question.deadline);
      try {
        return await send(base, question);
      } catch (error) {
        if (error instanceof UpstreamError) clientApi.suspect(serverName);
        throw error;
      }
    },
  };
}

// Not URLSearchParams, which writes a blank as `+`: a strict reader would see a plus.
function formatQuery(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) =>
    `${name}=${encodeURIComponent(value)}`
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** @throws {UpstreamError} For answers that are not the homeserver's own. */
function read({ status, body }: HttpResponse, where: string): HomeserverAnswer {
  const fail = (what: string) => new UpstreamError("answer", `${where}: HTTP ${status}${what}`);
  if (status >= 300 && status < 400) {
    throw fail(", a redirect, which is not followed; check the client API's base URL");
  }
  const fields = parseJsonObject(body);
  const errcode = fields === undefined ? undefined : errcodeOf(fields);
  const isSuccess = status >= 200 && status < 300;
  if (!isSuccess && errcode === undefined) {
    throw fail(" without a Matrix error code (a proxy in front of the homeserver?)");
  }
  if (fields === undefined) throw fail(", but no JSON object (is this the client API?)");
  return { status, fields, errcode, where };
}
