// Stands in for @std/assert where JSR cannot be reached: the same code, published on npm without types.
// @ts-types="./assert.d.ts"
export * from "deno-std/assert/mod.js";
