/**
 * A value that must not reach a log, a message or a process list. It shows
 * itself as `[secret]` however it is printed; {@linkcode Secret.reveal} is the
 * only way to the value, and easy to search for.
 *
 * @example A slip does no harm
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Secret } from "./secret.ts";
 *
 * const secret = new Secret("hunter2");
 * assertEquals(`${secret} ${JSON.stringify({ secret })}`, '[secret] {"secret":"[secret]"}');
 * assertEquals(secret.reveal(), "hunter2");
 * ```
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for signing and sending only. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}
