// Stands in for @std/http/negotiation where JSR cannot be reached: the same code, published on npm without types.
// @ts-types="./http_negotiation.d.ts"
export * from "deno-std/http/negotiation.js";
