/** A: the configuration, without asking anybody. */

import type { Check } from "../check.ts";
import type { DoctorContext } from "../context.ts";
import { pass } from "../finding.ts";
import { findBindFacts } from "./bind_facts.ts";
import { judgeAccess } from "./judge_access.ts";
import { judgeBind } from "./judge_bind.ts";
import { judgeSecret } from "./judge_secret.ts";
import { judgeSfuUrl } from "./judge_sfu_url.ts";
import { warningCheck } from "./warnings.ts";

/** The checks; what the configuration's reader has noticed is one each. */
export function configurationChecks({ loaded }: DoctorContext): Check<DoctorContext>[] {
  // A3 says the same, and more.
  const warnings = loaded.warnings.filter(({ message }) =>
    !/fewer than \d+ characters/.test(message)
  )
    .map((warning): Check<DoctorContext> => warningCheck(warning));
  const named = warnings.filter(({ id }) => id === "A2");
  const access = warnings.filter(({ id }) => id === "A5");
  return [
    {
      id: "A1",
      title: "required values",
      run: ({ loaded: { settings } }) =>
        pass(`complete; ${settings.filter(({ source }) => source !== "default").length} are set`),
    },
    ...named.length > 0 ? named : [
      {
        id: "A2",
        title: "names and values",
        run: () => pass("nothing unknown, outdated or odd"),
      } as const,
    ],
    {
      id: "A3",
      title: "API secret",
      run: ({ config }) => judgeSecret(config.liveKit.secret.reveal()),
    },
    { id: "A4", title: "LIVEKIT_URL", run: ({ config }) => judgeSfuUrl(config.liveKit.url) },
    ...access.length > 0 ? access : [
      {
        id: "A5",
        title: "servers with full access",
        run: ({ config, serverNames }: DoctorContext) => judgeAccess(config, serverNames),
      } as const,
    ],
    {
      id: "A6",
      title: "address to listen on",
      run: async ({ config, probe }) => judgeBind(await findBindFacts(config.listen, probe)),
    },
  ];
}
