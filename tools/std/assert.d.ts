// The part of @std/assert that the project uses; tests/std_stand_ins_test.ts holds it to the real types.
// deno-lint-ignore no-explicit-any -- as in @std/assert: a class is told by any constructor
type Constructor<E extends Error> = new (...args: any[]) => E;
export declare function assert(expr: unknown, msg?: string): asserts expr;
export declare function assertEquals<T>(actual: T, expected: T, msg?: string): void;
export declare function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
export declare function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
export declare function assertMatch(actual: string, expected: RegExp, msg?: string): void;
export declare function assertStringIncludes(actual: string, expected: string, msg?: string): void;
export declare function assertInstanceOf<T extends Error>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- as in @std/assert
  expectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is T;
export declare function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export declare function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
