import { defineConfig } from "vitest/config"

if (Number.parseInt(process.versions.node, 10) < 24) {
  throw new Error(`Tests run on Node 24, this is ${process.version}: use npm test, or npx vitest run <files>.`)
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
    maxWorkers: 2
  }
})
