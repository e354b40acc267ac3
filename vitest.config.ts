import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

if (Number.parseInt(process.versions.node, 10) < 24) {
  throw new Error(`Tests run on Node 24, this is ${process.version}: use npm test, or npx vitest run <files>.`)
}

/** A minute each, or more. Those with the most processes stand beside one with few, as two files run at a time. */
const longest = [
  "soak/Soak",
  "walk/Downtime",
  "soak/CrashPoints",
  "commands/BackfillLists",
  "soak/Replicas",
  "commands/Backfill",
  "benchmarks/Ingest",
  "commands/Commands"
]

const rank = ({ moduleId }: TestSpecification): number => {
  const place = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return place < 0 ? longest.length : place
}

/** The longest come first, so that none of them is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return files.toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  // As Node itself resolves: with Vite's own condition "development" there would be two copies of GraphQL.
  ssr: { resolve: { conditions: ["node", "module-sync"] } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/globalSetup.ts"],
    // Several times what the longest takes on two cores: the machine may be slow or busy.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst }
  }
})
