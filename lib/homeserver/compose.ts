/** Puts together all that the own homeserver is asked as its application service. */

import type { Logger } from "@logtape/logtape";
import type { Clock } from "../clock.ts";
import type { UpstreamError } from "../matrix/errors.ts";
import type { HttpClient } from "../net/http_client.ts";
import type { Secret } from "../secret.ts";
import { AnswerLog } from "./answer_log.ts";
import { createCachedMembership } from "./cached_membership.ts";
import { checkOwnHomeserver, probeOwnHomeserver } from "./check_own_homeserver.ts";
import type { ClientApi } from "./client_api.ts";
import type { FindDelayedEvent } from "./delayed_event_lookup.ts";
import { createRequestRemoteToken } from "./fed_proxy.ts";
import { createFindDelayedEvent } from "./find_delayed_event.ts";
import { createIsJoined } from "./is_joined.ts";
import { createOwnHomeserver } from "./own_homeserver.ts";
import type { RequestRemoteToken } from "./remote_tokens.ts";
import type { RoomMembership } from "./room_membership.ts";

/** What it takes. */
export interface OwnHomeserverEffects {
  readonly appService: { readonly asToken: Secret; readonly serverName: string };
  readonly client: HttpClient;
  readonly clientApi: ClientApi;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the own homeserver can be asked. */
export interface OwnHomeserverServices {
  readonly membership: RoomMembership;
  readonly requestRemoteToken: RequestRemoteToken;
  readonly findDelayedEvent: FindDelayedEvent;
  /** For the start: asks once, logs what comes of it, and never rejects. */
  check(): Promise<void>;
  /** Asks once, logs nothing, and returns why there was no answer, if there was none. */
  probe(): Promise<UpstreamError | undefined>;
}

/** Makes it. Nothing is connected to before something is asked. */
export function composeOwnHomeserver(effects: OwnHomeserverEffects): OwnHomeserverServices {
  const { appService: { asToken, serverName }, client, clientApi, clock, log } = effects;
  const homeserver = createOwnHomeserver({ serverName, asToken, client, clientApi, clock });
  const ask = createIsJoined(homeserver);
  const answerLog = new AnswerLog({ serverName, clock, log });
  return {
    membership: createCachedMembership({ ask, clock, answerLog }),
    requestRemoteToken: createRequestRemoteToken({ homeserver, clock }),
    findDelayedEvent: createFindDelayedEvent({ homeserver, clock }),
    check: () => checkOwnHomeserver({ serverName, ask, clock, log, answerLog }),
    probe: () => probeOwnHomeserver({ serverName, ask, clock }),
  };
}
