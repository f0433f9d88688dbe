import type { JoinDetails } from "./participant.ts";

/** The SFU answers at once. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Begins to connect to the SFU as clients do, and goes away when it has answered: the signal
 * connection is lost before any media could flow.
 */
export async function abortJoin({ url, jwt }: JoinDetails): Promise<void> {
  const target = new URL("/rtc", url);
  target.searchParams.set("access_token", jwt);
  target.searchParams.set("protocol", "15");
  const socket = new WebSocket(target);
  const answered = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => answered.reject(new Error("The SFU did not answer a client that joins")),
    ANSWER_TIMEOUT_MS,
  );
  socket.onmessage = () => answered.resolve();
  socket.onerror = () => answered.reject(new Error("The SFU refused a client that joins"));
  socket.onclose = () => closed.resolve();
  try {
    await answered.promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
  await closed.promise;
}
