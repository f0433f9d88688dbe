import type { HttpClient, HttpRequest } from "../net/http_client.ts";
import { type RunStep, unwatched } from "./steps.ts";

/**
 * Makes a client whose requests are steps.
 *
 * @param nameOf What a request is called; one of few names.
 */
export function watchedClient(
  client: HttpClient,
  runStep: RunStep,
  nameOf: (request: HttpRequest) => string,
): HttpClient {
  if (runStep === unwatched) return client;
  return {
    request: (target, request) =>
      runStep({ kind: "client", name: nameOf(request) }, async (facts) => {
        facts.method = request.method;
        facts.server = target.hostHeader;
        const response = await client.request(target, request);
        facts.status = response.status;
        return response;
      }),
    close: () => client.close(),
  };
}

/**
 * Names a request by the last segment of its path, if that is one of the known names.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { lastSegment } from "./watched_client.ts";
 *
 * const nameOf = lastSegment(["CreateRoom", "restart"], "other");
 * assertEquals(nameOf({ path: "/sfu/twirp/livekit.RoomService/CreateRoom" }), "CreateRoom");
 * assertEquals(nameOf({ path: "/delayed_events/syd_1/restart?user_id=%40a%3Ab" }), "restart");
 * assertEquals(nameOf({ path: "/delayed_events/syd_1" }), "other");
 * ```
 *
 * @param other The name of all others: what is in a path may be secret.
 */
export function lastSegment(
  names: readonly string[],
  other: string,
): (request: Pick<HttpRequest, "path">) => string {
  return ({ path }) => {
    const [bare] = path.split("?");
    const last = bare!.slice(bare!.lastIndexOf("/") + 1);
    return names.includes(last) ? last : other;
  };
}
