import type { Finding } from "../check.ts";
import { fail, pass, warn } from "../finding.ts";
import type { BindFact, BindState } from "./bind_facts.ts";

const WORDS: Readonly<Record<BindState, string>> = {
  free: "is free",
  ours: "is where the service answers",
  taken: "is taken by another program",
  "no-address": "is no address of this host",
  forbidden: "may not be listened on by this user",
  "no-folder": "has no folder",
};

/** Judges whether the service can listen where it is told to, or does so already. */
export function judgeBind(facts: readonly BindFact[]): Finding {
  const evidence = facts.map(({ address, state }) => `${address} ${WORDS[state]}`).join(", ");
  const has = (state: BindState) => facts.some((fact) => fact.state === state);
  const port = facts[0]?.address.replace(/^.*:/, "");
  if (has("taken")) {
    return fail(evidence, "Choose another address in LIVEKIT_JWT_BIND, or end the other program.");
  }
  if (has("forbidden")) {
    return fail(evidence, "Choose a port from 1024 on in LIVEKIT_JWT_BIND.");
  }
  if (has("no-folder")) {
    return fail(evidence, "Make the folder of the socket, writable for the service's user.");
  }
  if (has("no-address")) {
    return facts.every(({ state }) => state === "no-address")
      ? fail(evidence, "Set LIVEKIT_JWT_BIND to an address of this host.")
      : warn(evidence, `IPv6 is off here: set LIVEKIT_JWT_BIND=0.0.0.0:${port} to say so.`);
  }
  return pass(evidence);
}
