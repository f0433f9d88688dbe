/**
 * Remembers what several checks need: the first who asks for a key has it made, all others get the
 * same promise.
 */
export type Once = <T>(key: string, make: () => Promise<T>) => Promise<T>;

/**
 * Makes a memory for one diagnosis.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { createOnce } from "./once.ts";
 *
 * const once = createOnce();
 * let made = 0;
 * const make = () => Promise.resolve(++made);
 * assertEquals(await Promise.all([once("a", make), once("a", make), once("b", make)]), [1, 1, 2]);
 * ```
 */
export function createOnce(): Once {
  const made = new Map<string, Promise<unknown>>();
  return <T>(key: string, make: () => Promise<T>) => {
    let value = made.get(key) as Promise<T> | undefined;
    if (value === undefined) made.set(key, value = make());
    return value;
  };
}
