import type { Finding } from "../check.ts";
import { pass, warn } from "../finding.ts";

/** LiveKit itself complains below this. */
const MIN_CHARS = 32;
/** Examples of guides, and what LiveKit's development mode uses. */
const KNOWN = ["secret", "devkey", "changeme", "password", "your-secret"];

const REMEDY = "Make a new pair with livekit-server generate-keys, and give it to LiveKit and to " +
  "this service: who guesses the secret can join and end every call.";

/** Judges the API secret by its length and by what everybody knows; it is never shown. */
export function judgeSecret(secret: string): Finding {
  if (KNOWN.includes(secret.toLowerCase())) {
    return warn("the API secret is one that everybody knows", REMEDY);
  }
  if (secret.length < MIN_CHARS) {
    return warn(`the API secret has ${secret.length} characters, fewer than ${MIN_CHARS}`, REMEDY);
  }
  return pass(`${secret.length} characters`);
}
