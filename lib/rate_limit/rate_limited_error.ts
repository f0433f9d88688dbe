import { LimitExceededError } from "../matrix/errors.ts";

/** A client, or users of a server, have come too often: 429. */
export class RateLimitedError extends LimitExceededError {
  override readonly name = "RateLimitedError";

  /**
   * @param limited Whose limit it is.
   * @param who The client as the log may name it, or the server.
   * @param isNews Whether the log has not been told for a while.
   * @param msLeft Until it makes sense to ask again.
   */
  constructor(
    readonly limited: "client" | "server",
    readonly who: string,
    readonly isNews: boolean,
    msLeft: number,
  ) {
    super(
      limited === "client" ? "Too many requests" : "Too many requests of this homeserver's users",
      Math.max(1, Math.ceil(msLeft / 1000)),
    );
  }
}
