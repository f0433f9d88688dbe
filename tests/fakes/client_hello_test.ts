import { assertEquals } from "@std/assert";
import { parseServerName } from "./client_hello.ts";

Deno.test("parseServerName() ends quietly on anything that is no greeting", () => {
  for (const length of [0, 1, 5, 6, 43, 44, 100, 5000]) {
    assertEquals(parseServerName(new Uint8Array(length)), null);
    assertEquals(parseServerName(new Uint8Array(length).fill(0xff)), null);
    const greeting = new Uint8Array(length).fill(0xff);
    greeting.set([22, 3, 1, 1, 1, 1].slice(0, length));
    assertEquals(parseServerName(greeting), null);
  }
});
