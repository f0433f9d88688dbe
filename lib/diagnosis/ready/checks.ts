/** Lists the checks that a running service makes on itself. */

import type { UpstreamError } from "../../matrix/errors.ts";
import type { WebhookState } from "../../sfu/webhook_sightings.ts";
import { createConfigurationCheck } from "./configuration.ts";
import { createHomeserverCheck } from "./homeserver.ts";
import type { ReadyCheck } from "./ready_check.ts";
import { createSfuCheck, type SfuCheckOptions } from "./sfu.ts";
import { createStoreCheck } from "./store.ts";
import { createWebhookCheck } from "./webhooks.ts";

/** What the service has in hand for it. */
export interface ReadyCheckOptions {
  readonly sfu: SfuCheckOptions;
  /** In homeserver mode: asks the homeserver, and returns why there was no answer. */
  readonly askHomeserver?: () => Promise<UpstreamError | undefined>;
  /** Where delayed leaves are looked after: whether they are kept. */
  readonly isStoreWorking?: () => boolean;
  readonly webhookState: () => WebhookState;
  readonly configWarnings: number;
}

/** Makes them, in the order in which they are shown. */
export function createReadyChecks(options: ReadyCheckOptions): ReadyCheck[] {
  const { sfu, askHomeserver, isStoreWorking, webhookState, configWarnings } = options;
  return [
    createSfuCheck(sfu),
    ...askHomeserver ? [createHomeserverCheck(askHomeserver)] : [],
    createWebhookCheck(webhookState),
    ...isStoreWorking ? [createStoreCheck(isStoreWorking)] : [],
    createConfigurationCheck(configWarnings),
  ];
}
