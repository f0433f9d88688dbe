import { errcodeOf } from "../describe_answer.ts";
import type { Probe } from "../probe.ts";
import type { AdvertisedFacts } from "./judge_advertised.ts";

/** Where services are put, in guides and packages. */
const USUAL_PATHS = ["/livekit/jwt", "/livekit-jwt", "/lk-jwt-service", "/jwt", ""];

/** Finds out whether a service answers at what is advertised, or else where on that host. */
export async function findAdvertised(
  advertised: string,
  probe: Probe,
): Promise<Pick<AdvertisedFacts, "answers" | "elsewhere">> {
  const url = advertised.replace(/\/+$/, "");
  if (await answersAt(url, probe)) return { answers: true };
  const { origin } = new URL(url);
  const places = USUAL_PATHS.map((path) => origin + path).filter((place) => place !== url);
  const found = await Promise.all(places.map((place) => answersAt(place, probe)));
  const elsewhere = places[found.indexOf(true)];
  return { answers: false, ...elsewhere !== undefined && { elsewhere } };
}

/** An empty request is refused by the service and by no other program in these words. */
async function answersAt(url: string, probe: Probe): Promise<boolean> {
  const exchange = await probe(`${url}/sfu/get`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  return exchange.answered && exchange.status === 400 && errcodeOf(exchange) !== undefined;
}
