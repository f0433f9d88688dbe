import { serverNameOfUserId } from "../../matrix/user_id.ts";
import type { Secret } from "../../secret.ts";
import type { Job } from "../job.ts";

/** What an application service shows to its homeserver, and to no other server. */
export interface AppService {
  /** The one homeserver that has registered it. */
  readonly serverName: string;
  readonly asToken: Secret;
}

/**
 * Says in which user's name the homeserver is asked about a job.
 *
 * Server names are compared as they are: who could have the token sent to
 * another server would be able to speak for all users of this one.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "../../secret.ts";
 * import type { LiveKitIdentity, LiveKitRoom } from "../../signing/names.ts";
 * import { actingUserOf } from "./app_service.ts";
 *
 * const job = {
 *   room: "room" as LiveKitRoom,
 *   identity: "identity" as LiveKitIdentity,
 *   delayId: new Secret("syd_abc"),
 *   delayTimeoutMs: 10_000,
 *   serverName: "example.org",
 *   userId: "@alice:example.org",
 * };
 * const appService = { serverName: "example.org", asToken: new Secret("as-token") };
 * assertEquals(
 *   actingUserOf({ ...job, isThroughHomeserver: true }, appService),
 *   "@alice:example.org",
 * );
 * assertEquals(actingUserOf(job, appService), undefined);
 * ```
 *
 * @param appService `undefined` where the service is none.
 * @returns The user, or `undefined` when the call is to carry no token.
 */
export function actingUserOf(job: Job, appService: AppService | undefined): string | undefined {
  const { isThroughHomeserver, serverName, userId } = job;
  if (isThroughHomeserver !== true || userId === undefined) return undefined;
  if (appService?.serverName !== serverName) return undefined;
  return serverNameOfUserId(userId) === serverName ? userId : undefined;
}
