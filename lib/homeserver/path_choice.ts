import { isUnrecognized } from "../matrix/errcode.ts";
import type { HomeserverAnswer } from "./own_homeserver.ts";

/** Asks at the path that is there. */
export type PathChoice = (
  askAt: (path: string) => Promise<HomeserverAnswer>,
) => Promise<HomeserverAnswer>;

/**
 * Remembers under which of two paths a homeserver has something, while it moves
 * from its unstable to its stable one. An update may change that, either way, at
 * any time: where the one that is remembered is gone, the other is tried.
 *
 * @param paths The one that is tried first as long as nothing is known, and the other.
 * @returns A function that gives the answer, or that of the second path where neither is there.
 */
export function createPathChoice(paths: readonly [string, string]): PathChoice {
  let [known, other] = paths;
  return async (askAt) => {
    const [first, second] = [known, other];
    const answer = await askAt(first);
    if (!isUnrecognized(answer)) return answer;
    const otherAnswer = await askAt(second);
    if (!isUnrecognized(otherAnswer)) [known, other] = [second, first];
    return otherAnswer;
  };
}
