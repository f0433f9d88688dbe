/** What the tests of questions to the own homeserver share. */

import { createClientApi } from "../../lib/homeserver/client_api.ts";
import { composeOwnHomeserver } from "../../lib/homeserver/compose.ts";
import {
  createOwnHomeserver,
  type HomeserverAnswer,
  type OwnHomeserver,
  type Question,
} from "../../lib/homeserver/own_homeserver.ts";
import { Secret } from "../../lib/secret.ts";
import type { AppServiceSettings } from "../fakes/app_service.ts";
import { type Homeserver, startHomeserver } from "../fakes/homeserver.ts";
import { startClient } from "../net/fixtures.ts";
import { captureLog } from "../support/captured_log.ts";
import { createManualClock } from "../support/manual_clock.ts";

/** The token that the homeserver knows. */
export const AS_TOKEN = "as-token-that-nobody-may-see";
/** The own server's name; where it answers is configured. */
export const OWN = "own.example";
/** More than enough for an answer over the loopback interface; nobody waits for it. */
export const TIMEOUT_MS = 4_000;

/** How a world differs from the usual one. */
export interface WorldOptions {
  readonly appService?: Partial<AppServiceSettings>;
  /** The token that the service has. */
  readonly asToken?: string;
  /** The base URL in place of the homeserver's own. */
  readonly baseUrl?: string;
}

/** A homeserver on a socket, and the code under test with a clock that is moved by hand. */
export async function startWorld(options: WorldOptions = {}) {
  const clock = createManualClock();
  const homeserver = startHomeserver({
    users: {},
    clock,
    appService: { asToken: AS_TOKEN, serverName: OWN, ...options.appService },
  });
  const client = startClient({ clock });
  const suspected: string[] = [];
  const clientApi = createClientApi({
    client,
    clock,
    overrides: new Map([[OWN, options.baseUrl ?? homeserver.url]]),
    isOwn: () => true,
  });
  const watchedApi = { ...clientApi, suspect: (name: string) => void suspected.push(name) };
  const asToken = new Secret(options.asToken ?? AS_TOKEN);
  const { log, logText } = await captureLog({ level: "debug", format: "json", clock });
  const parts = { client, clientApi: watchedApi, clock };
  const close = async () => {
    // Exchanges that are being waited for would keep the client from closing.
    clock.advance(3_600_000);
    await homeserver.close();
    await client.close();
  };
  return {
    clock,
    homeserver,
    appService: homeserver.appService,
    suspected,
    own: createOwnHomeserver({ serverName: OWN, asToken, ...parts }),
    ...composeOwnHomeserver({ appService: { asToken, serverName: OWN }, ...parts, log }),
    /** Level and message of all that has been logged. */
    async logged(): Promise<string[]> {
      const lines = (await logText()).split("\n").filter((line) => line !== "");
      return lines.map((line) => {
        const { level, message, msg } = JSON.parse(line);
        return `${level} ${message ?? msg}`;
      });
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Paths of all requests so far. */
export function pathsOf({ requests }: Homeserver): string[] {
  return requests.map(({ path }) => path);
}

/** Makes a homeserver's application service answer any request with a good token so. */
export function answerAll(settings: AppServiceSettings, body: BodyInit, status = 200): void {
  settings.respond = () =>
    new Response(body, { status, headers: { "content-type": "application/json" } });
}

/** A homeserver that answers by a function. */
export function createFakeHomeserver(
  answer: (question: Question) => Partial<HomeserverAnswer> | Promise<Partial<HomeserverAnswer>>,
): OwnHomeserver & { readonly asked: Question[] } {
  const asked: Question[] = [];
  return {
    serverName: OWN,
    asked,
    async ask(question) {
      asked.push(question);
      return {
        status: 200,
        fields: {},
        errcode: undefined,
        where: "fake",
        ...await answer(question),
      };
    },
  };
}
