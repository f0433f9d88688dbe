// Stands in for @std/http/status where JSR cannot be reached: the same code, published on npm without types.
// @ts-types="./http_status.d.ts"
export * from "deno-std/http/status.js";
