import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createWaitable } from "./waitable.ts";

/** A homeserver's client API that does nothing but note what it is asked, byte for byte. */
export interface PathRecorder extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Methods and targets as they stood in the request lines, in the order of arrival. */
  readonly requests: readonly string[];
  /** Resolves as soon as there have been so many requests. */
  until(count: number): Promise<void>;
}

const WAIT_TIMEOUT_MS = 15_000;

/** Starts a recorder on loopback that answers 200 to everything. */
export async function startPathRecorder(): Promise<PathRecorder> {
  const requests: string[] = [];
  const waitable = createWaitable();
  // Not Deno.serve: a URL that has been parsed no longer shows what stood there.
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume();
    response.end("{}");
    waitable.notify();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    until: async (count) =>
      void await waitable.until(
        () => requests.length >= count || undefined,
        WAIT_TIMEOUT_MS,
        () => `The homeserver was asked ${requests.length} times and not ${count}`,
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
