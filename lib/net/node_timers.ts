/**
 * Import this before undici. Packages of npm get Node's timers from Deno; once
 * bundled into one file with our own code they would get the web's, and those
 * of Deno before 2.8 are plain numbers without `unref()`.
 */

import * as timers from "node:timers";

const probe: unknown = setTimeout(() => {}, 0);
if (typeof probe === "number") {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = timers;
  Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval });
}
