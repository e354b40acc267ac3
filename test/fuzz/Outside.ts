/** Requests for what the contract does not describe: feeds for bots, health, metrics, and what there is not. */
import type { Random } from "../../src/sandbox/Random.ts"
import type { Source } from "./Attempt.ts"
import * as Nonsense from "./Nonsense.ts"

const targets: ReadonlyArray<(random: Random) => string> = [
  (random) => `/r2z2/ephemeral/${random.whole(0, 200)}.json`,
  () => "/r2z2/ephemeral/sequence.json",
  (random) => `/r2z2/ephemeral/${Nonsense.inUrl(random)}`,
  (random) => `/r2z2/history/2026${random.whole(10, 12)}${random.whole(10, 31)}.json`,
  () => "/r2z2/history/totals.json",
  (random) => `/r2z2/history/${Nonsense.inUrl(random)}.json`,
  (random) => `/redisq/listen.php?queueID=&ttw=${Nonsense.inUrl(random)}`,
  (random) => `/redisq/listen.php?queueID=${"x".repeat(101)}${Nonsense.inUrl(random)}`,
  (random) => `/redisq/listen.php?queueID=x&ttw=1&filter=${Nonsense.inUrl(random)}`,
  () => "/health/live",
  () => "/health/ready",
  () => "/openapi.json",
  () => "/ws",
  (random) => `/${Nonsense.inUrl(random)}`,
  (random) => `/api/${Nonsense.inUrl(random)}/${Nonsense.inUrl(random)}`,
  (random) => `//${Nonsense.inUrl(random)}`,
  () => "/api/v1/../../metrics",
  () => "*"
]

export const source: Source = {
  name: "outside",
  weight: 10,
  next: (random) => ({ method: random.chance(0.9) ? "GET" : "HEAD", target: random.pick(targets)(random), headers: {} })
}
