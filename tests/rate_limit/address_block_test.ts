import { assertEquals } from "@std/assert";
import { blockOf, readAddress } from "../../lib/rate_limit/address_block.ts";

for (
  const [text, block] of [
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::FFFF:CB00:7107", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:1:2::", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::ffff:203.0.113.7%a", "203.0.113.7"],
    ...["", "127.1", "0177.0.0.1", "2130706433", "203.0.113.7/8", "[::1]", "::1::", "1.2.3.4 "]
      .map((garbage) => [garbage, undefined] as const),
    [`fe80::1%${"a".repeat(100)}`, undefined],
  ] as const
) {
  Deno.test(`readAddress() and blockOf() take "${text.slice(0, 30)}" for ${block}`, () => {
    const address = readAddress(text);
    assertEquals(address && blockOf(address), block);
  });
}
