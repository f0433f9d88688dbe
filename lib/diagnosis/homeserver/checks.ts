/** E: the homeserver. */

import type { Check, Finding } from "../check.ts";
import { type DoctorContext, ownServerNames } from "../context.ts";
import type { Exchange } from "../probe.ts";
import { lookAtFederation } from "./federation.ts";
import { judgeClientApi, judgeRestart, judgeVersions } from "./judge_client_api.ts";
import { judgeResolution } from "./judge_resolution.ts";
import { judgeUserinfo } from "./judge_userinfo.ts";
import { judgeUser, lookAtUser } from "./user_check.ts";

type DoctorCheck = Check<DoctorContext>;

/** No homeserver gives its delayed events such IDs. */
const RESTART_PATH = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/doctor/restart";

/** The checks: E1 to E5 for each of the operator's servers, E7 for each other one. */
export function homeserverChecks({ config, serverNames }: DoctorContext): DoctorCheck[] {
  const configured = ownServerNames(config);
  // Where nobody is configured, whom the person names is the operator's.
  const isOwn = (name: string) => configured.length === 0 || configured.includes(name);
  return [
    ...serverNames.filter(isOwn).flatMap(checksOfServer),
    {
      id: "E6",
      title: "a user is vouched for",
      run: async (context) => judgeUser(await lookAtUser(context)),
    },
    ...checksOfRemotes(serverNames.filter((name) => !isOwn(name))),
  ];
}

function checksOfServer(serverName: string): DoctorCheck[] {
  const subject = serverName;
  return [
    {
      id: "E1",
      title: "where the server name leads",
      subject,
      run: async (context) =>
        judgeResolution(serverName, await lookAtFederation(context, serverName)),
    },
    {
      id: "E2",
      title: "users can be verified",
      subject,
      run: (context) => checkUserinfo(context, serverName),
    },
    {
      id: "E3",
      title: "features for calls",
      subject,
      run: async (context) => {
        const versions = await fetchVersions(context, serverName);
        if (versions !== undefined) return judgeVersions(versions);
        return { verdict: "SKIP", evidence: "the client API is not found (E4)" };
      },
    },
    {
      id: "E4",
      title: "the client API is reachable",
      subject,
      run: async (context) => {
        const place = await context.facts.clientApi(serverName);
        return judgeClientApi(serverName, place, await fetchVersions(context, serverName));
      },
    },
    {
      id: "E5",
      title: "delayed events can be restarted",
      subject,
      run: (context) => checkRestart(context, serverName),
    },
  ];
}

function checksOfRemotes(serverNames: readonly string[]): DoctorCheck[] {
  const title = "users of other servers can be verified";
  if (serverNames.length === 0) {
    const evidence = "name another server with --server to see whether its users can come";
    return [{ id: "E7", title, run: () => ({ verdict: "SKIP", evidence }) }];
  }
  return serverNames.map((serverName) => ({
    id: "E7",
    title,
    subject: serverName,
    run: async (context) => {
      const facts = await lookAtFederation(context, serverName);
      const resolution = judgeResolution(serverName, facts, true);
      if (resolution.verdict !== "PASS" || facts.resolved === undefined) return resolution;
      return judgeUserinfo(facts.userinfo);
    },
  }));
}

async function checkUserinfo(context: DoctorContext, serverName: string): Promise<Finding> {
  const facts = await lookAtFederation(context, serverName);
  const isReached = facts.resolved !== undefined &&
    (facts.userinfo.answered || facts.userinfo.hop === "http");
  if (isReached) return judgeUserinfo(facts.userinfo);
  return { verdict: "SKIP", evidence: `${serverName} is not reached (E1)` };
}

async function checkRestart(context: DoctorContext, serverName: string): Promise<Finding> {
  const { baseUrl } = await context.facts.clientApi(serverName);
  if (baseUrl === undefined) {
    return { verdict: "SKIP", evidence: "the client API is not found (E4)" };
  }
  const exchange = await context.probe(baseUrl + RESTART_PATH, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  return judgeRestart(exchange, context.config.appService?.serverName === serverName);
}

/** `GET /_matrix/client/versions`, once; nothing where nobody knows whom to ask. */
async function fetchVersions(
  context: DoctorContext,
  serverName: string,
): Promise<Exchange | undefined> {
  const { baseUrl } = await context.facts.clientApi(serverName);
  if (baseUrl === undefined) return undefined;
  const url = `${baseUrl}/_matrix/client/versions`;
  return await context.once(url, () => context.probe(url));
}
