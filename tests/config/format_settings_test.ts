import { assertEquals } from "@std/assert";
import { formatSettings } from "../../lib/config/format_settings.ts";

Deno.test("formatSettings() prints nothing for nothing", () => {
  assertEquals(formatSettings([]), "");
});

Deno.test("formatSettings() does not let one long value widen all lines", () => {
  const text = formatSettings([
    { name: "A", value: "x".repeat(100), source: "environment" },
    { name: "BB", value: "y", source: "default" },
  ]);
  assertEquals(text, `A   ${"x".repeat(100)}  environment\nBB  ${"y".padEnd(48)}  default\n`);
});
