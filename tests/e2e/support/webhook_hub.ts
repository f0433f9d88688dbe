import { forward } from "./forward.ts";
import { createWaitable } from "./waitable.ts";

/** A webhook of the SFU, as far as the tests look at it. */
export interface SeenWebhook {
  readonly event: string;
  readonly identity: string | undefined;
  readonly reason: string | undefined;
  /** When the SFU sent it; milliseconds of the monotonic clock. */
  readonly at: number;
  /** What the service answered; 502 when it could not be reached. */
  readonly status: number;
}

/**
 * Stands where the SFU sends its webhooks, so that services of several tests can share one SFU: each
 * room's webhooks go to the service that its test names.
 */
export interface WebhookHub extends AsyncDisposable {
  /** The URL for the SFU's configuration. */
  readonly url: string;
  /**
   * Sends a room's webhooks to a service from now on. Those of other rooms are answered 200 and lost,
   * as though the SFU had no webhooks configured.
   *
   * @param liveKitRoom The room's name on the SFU.
   * @param serviceUrl Where the service listens; while nobody does, the SFU gets 502 and tries again.
   */
  route(liveKitRoom: string, serviceUrl: string): void;
  /** Loses a room's webhooks from now on, those that the SFU sends again included. */
  lose(liveKitRoom: string): void;
  /** Resolves as soon as the service has been told of it, or for the `nth` time if given. */
  waitFor(
    liveKitRoom: string,
    wanted: Partial<SeenWebhook> & { event: string },
    nth?: number,
  ): Promise<SeenWebhook>;
  /** The room's webhooks so far. */
  seen(liveKitRoom: string): readonly SeenWebhook[];
}

/** A killed participant is noticed after about 21 s. */
const WAIT_TIMEOUT_MS = 40_000;
/** As a proxy would have it; the SFU tries again. */
const SERVICE_TIMEOUT_MS = 5_000;

/** Starts a hub on loopback. */
export function startWebhookHub(): WebhookHub {
  const routes = new Map<string, string>();
  const rooms = new Map<string, SeenWebhook[]>();
  const waitable = createWaitable();
  const seen = (room: string) => rooms.get(room) ?? [];

  async function pass(request: Request): Promise<Response> {
    const at = performance.now();
    const body = new Uint8Array(await request.arrayBuffer());
    const { event, room, participant } = JSON.parse(new TextDecoder().decode(body));
    const name: string = room?.name ?? "";
    const serviceUrl = routes.get(name);
    const response = serviceUrl === undefined
      ? new Response()
      : await forward(request, body, serviceUrl, {
        signal: AbortSignal.timeout(SERVICE_TIMEOUT_MS),
      })
        .catch(() => new Response(null, { status: 502 }));
    rooms.set(name, [...seen(name), {
      event,
      at,
      identity: participant?.identity,
      reason: participant?.disconnectReason,
      status: response.status,
    }]);
    waitable.notify();
    return response;
  }
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, pass);
  return {
    url: `http://127.0.0.1:${server.addr.port}/sfu_webhook`,
    route: (liveKitRoom, serviceUrl) => void routes.set(liveKitRoom, serviceUrl),
    lose: (liveKitRoom) => void routes.delete(liveKitRoom),
    waitFor: (liveKitRoom, wanted, nth = 1) =>
      waitable.until(
        () =>
          seen(liveKitRoom)
            .filter((webhook) => matches(webhook, { status: 200, ...wanted }))[nth - 1],
        WAIT_TIMEOUT_MS,
        () =>
          `The service was not told of ${JSON.stringify(wanted)} (${nth}), but of ` +
          JSON.stringify(seen(liveKitRoom)),
      ),
    seen,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function matches(webhook: SeenWebhook, wanted: Partial<SeenWebhook>): boolean {
  return Object.entries(wanted)
    .every(([name, value]) => webhook[name as keyof SeenWebhook] === value);
}
