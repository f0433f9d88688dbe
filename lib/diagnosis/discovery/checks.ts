/** C: what clients learn of the service. */

import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { findAdvertised } from "./find_advertised.ts";
import { judgeAdvertised } from "./judge_advertised.ts";
import { judgeTransports, judgeUserTransports } from "./judge_transports.ts";
import { hasFoci, judgeFoci, judgeWellKnown, judgeWellKnownCors } from "./judge_well_known.ts";

/** The checks, for each server; the last one for the user's only. */
export function discoveryChecks({ serverNames }: DoctorContext): Check<DoctorContext>[] {
  return [
    ...serverNames.flatMap(checksOf),
    {
      id: "C6",
      title: "both ways of discovery agree",
      run: async ({ facts, serverNames }) => {
        const owner = await facts.tokenOwner();
        const transports = await facts.userTransports();
        const [serverName] = serverNames;
        const file = serverName === undefined ? undefined : await facts.wellKnownClient(serverName);
        return judgeUserTransports({
          serviceUrls: file?.serviceUrls ?? [],
          ...owner && { owner },
          ...transports && { transports },
        });
      },
    },
  ];
}

function checksOf(subject: string): Check<DoctorContext>[] {
  return [
    {
      id: "C1",
      title: "well-known file for clients",
      subject,
      run: async ({ facts }) => judgeWellKnown(await facts.wellKnownClient(subject)),
    },
    {
      id: "C2",
      title: "rtc_foci",
      subject,
      run: async ({ facts }) => judgeFoci(await facts.wellKnownClient(subject)),
    },
    {
      id: "C3",
      title: "CORS of the well-known file",
      subject,
      run: async ({ facts }) => judgeWellKnownCors(await facts.wellKnownClient(subject)),
    },
    {
      id: "C4",
      title: "the advertised service",
      subject,
      run: async ({ facts, probe, publicUrl }) => {
        const [advertised] = (await facts.wellKnownClient(subject)).serviceUrls ?? [];
        return judgeAdvertised({
          ...advertised === undefined
            ? { answers: false }
            : { advertised, ...await findAdvertised(advertised, probe) },
          ...publicUrl !== undefined && { expected: publicUrl },
        });
      },
    },
    {
      id: "C5",
      title: "transports of the homeserver",
      subject,
      run: async ({ facts }) =>
        judgeTransports(
          await facts.transports(subject),
          hasFoci(await facts.wellKnownClient(subject)),
        ),
    },
  ];
}
