/** G: webhook and delegation. */

import type { Check, Finding } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { judgeArrival, judgeSignatures, watchArrival } from "./arrival.ts";
import { askCapabilities, judgeDelayLimit } from "./delay_limit.ts";
import { judgeSamples } from "./judge_samples.ts";
import { localServiceUrl } from "./local_service.ts";
import { sendSamples } from "./sample_event.ts";
import { judgeStore, lookAtStore } from "./store_check.ts";

/** A visit to LiveKit, and then ten seconds for its webhooks. */
const ARRIVAL_MS = 30_000;

/** The checks; G1 for the public address and for the one on this machine. */
export function webhookChecks({ config }: DoctorContext): Check<DoctorContext>[] {
  const title = "webhooks get through";
  const isOff = config.delegation.mode === "off";
  const unlessOff = (
    run: (context: DoctorContext) => Promise<Finding>,
  ): Check<DoctorContext>["run"] =>
    isOff ? () => ({ verdict: "SKIP", evidence: "delegation is off" }) : run;
  return [
    { id: "G1", title, subject: "public", run: checkPublic },
    { id: "G1", title, subject: "internal", run: checkInternal },
    {
      id: "G2",
      title: "LiveKit's own webhooks arrive",
      timeoutMs: ARRIVAL_MS,
      run: unlessOff(async (context) => judgeArrival(await watchArrival(context))),
    },
    {
      id: "G3",
      title: "webhooks are signed with our key",
      timeoutMs: ARRIVAL_MS,
      run: unlessOff(async (context) => judgeSignatures(await watchArrival(context))),
    },
    {
      id: "G4",
      title: "leaves are looked after",
      run: async (context) => judgeStore(await lookAtStore(context)),
    },
    {
      id: "G5",
      title: "leaves may wait an hour",
      run: unlessOff(async (context) => judgeDelayLimit(await askCapabilities(context))),
    },
  ];
}

async function checkPublic(context: DoctorContext): Promise<Finding> {
  const service = await context.facts.ownService();
  if (service === undefined) {
    return { verdict: "SKIP", evidence: "nobody says where clients reach this service (C2)" };
  }
  const finding = judgeSamples(await sendSamples(context, service.url));
  const missing = finding.verdict === "FAIL";
  const internal = missing ? await checkInternal(context) : undefined;
  // LiveKit may well use the internal address, and then the public one need not lead here.
  return internal?.verdict === "PASS" ? { ...finding, verdict: "WARN" } : finding;
}

async function checkInternal(context: DoctorContext): Promise<Finding> {
  const url = localServiceUrl(context.config.listen);
  if (url === undefined) {
    return { verdict: "SKIP", evidence: "no URL leads to where the service listens" };
  }
  const samples = await sendSamples(context, url);
  if (!samples.authentic.answered && samples.authentic.hop === "tcp") {
    return { verdict: "SKIP", evidence: `no service listens at ${url} on this machine` };
  }
  return judgeSamples(samples);
}
