import type { UpstreamError } from "../../matrix/errors.ts";
import { judgeRegistration } from "../homeserver_mode/judge_registration.ts";
import type { ReadyCheck } from "./ready_check.ts";

/**
 * I1: makes the check that the homeserver answers its application service. It warns and no
 * more: users of other servers get in without, and a homeserver that restarts must not take all
 * replicas of this service with it.
 *
 * @param ask Asks, and returns why there was no answer.
 */
export function createHomeserverCheck(ask: () => Promise<UpstreamError | undefined>): ReadyCheck {
  return {
    name: "homeserver",
    title: "The homeserver, as an application service",
    async run() {
      const refusal = await ask();
      const facts = { warnings: [], hasFile: false, ...refusal && { refusal } };
      const finding = judgeRegistration(facts);
      if (refusal === undefined) return finding;
      const { hop } = refusal;
      if (hop === "answer") return { ...finding, verdict: "WARN", hop };
      return {
        verdict: "WARN",
        evidence: finding.evidence,
        hop,
        remedy: "The homeserver cannot be reached: see that it runs, and that its client API can " +
          "be found from where this service runs.",
      };
    },
  };
}
