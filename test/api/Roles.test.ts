import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const operators = ["POST /api/v1/killmails", "PUT /api/v1/character-groups/{id}", "GET /api/v1/queue"]
const operatorsOwn = /^\w+ \/api\/v1\/webhooks(\/.+)?$/
/** Who is signed in may ask these of itself. */
const users = /^\w+ \/api\/v1\/(me(\/.+)?|auth\/sign-out)$/

/** Who may ask it; all that is neither, everybody may. */
const roleOf = (name: string) =>
  operators.includes(name) || operatorsOwn.test(name) ? "operator" : users.test(name) ? "user" : "public"

interface Operation {
  readonly security?: ReadonlyArray<object>
}

const wrongCredentials = [
  "Bearer wrong",
  "Bearer ",
  "Bearer operatorx",
  "Basic b3BlcmF0b3I6",
  "operator",
  "Bearer Operator"
]

describe("an endpoint of the OpenAPI document", () => {
  it.live("lets in whom the table names, and tells all others how to show who they are", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      const ask = (name: string, authorization?: string) =>
        Effect.promise(async () => {
          const [method, path] = name.split(" ") as [string, string]
          const abort = new AbortController()
          const response = await fetch(url + path.replaceAll("{entities}", "systems").replaceAll(/\{\w+\}/g, "1"), {
            method,
            signal: abort.signal,
            headers: {
              "content-type": "application/json",
              ...(authorization === undefined ? {} : { authorization })
            },
            ...(method === "GET" ? {} : { body: "{}" })
          })
          const { headers, status } = response
          // A stream of events never ends by itself.
          abort.abort()
          return { status, challenge: headers.get("www-authenticate") }
        })

      const document = yield* Effect.promise(async () => (await fetch(`${url}/openapi.json`)).json())
      const { paths } = document as { readonly paths: Record<string, Record<string, Operation>> }
      const operations = Object.entries(paths).flatMap(([path, item]) =>
        Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation }))
      )
      assert.includeMembers(operations.map(({ name }) => name), operators)
      for (const { name, operation: { security = [] } } of operations) {
        const role = roleOf(name)
        assert.strictEqual(security.length > 0, role !== "public", name)
        for (const authorization of [undefined, ...wrongCredentials]) {
          const { challenge, status } = yield* ask(name, authorization)
          if (role === "public") assert.notInclude([401, 403], status, name)
          else {assert.deepStrictEqual(
              [status, challenge],
              [401, "Bearer realm=\"killmaild\""],
              `${name} ${authorization}`
            )}
        }
        if (role === "operator") assert.notInclude([401, 403], (yield* ask(name, "Bearer operator")).status, name)
      }
    }), 90_000)
})
