// A replica with two jobs in a process of its own, for a test to stop and to wake. Says on standard
// output what it may do.

import { Secret } from "../../../lib/secret.ts";
import type { LiveKitIdentity } from "../../../lib/signing/names.ts";
import { createJob, DEAF } from "../../delayed_leave/support/store_suite.ts";
import { openLog, openStore, SHORT } from "./redis_world.ts";

let lost = 0;
const store = openStore(Deno.args[0]!, await openLog());
await store.start({
  ...DEAF,
  onLost(keys) {
    lost += keys.length;
    console.log(`lost ${lost}`);
  },
});
await store.write(["alice", "bob"].map((name) => {
  const job = createJob({ identity: name as LiveKitIdentity, delayId: new Secret(name) });
  return { kind: "put", stored: { job, restartedAt: Date.now(), wasConnected: true } };
}));
console.log(`started ${Deno.pid}`);

const acts = () => [store.mayAct("restart"), store.mayAct("send")];
let seenAt = performance.now();
setInterval(() => {
  const gap = performance.now() - seenAt;
  seenAt = performance.now();
  if (gap < SHORT.leaseMs) return;
  console.log(`first after the gap: ${acts()}`);
  const watching = setInterval(() => {
    if (!store.mayAct("send")) return;
    clearInterval(watching);
    console.log(`acting again after losing ${lost}`);
  }, 1);
}, 10);
