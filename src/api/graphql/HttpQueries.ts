/** Queries over HTTP, as the specification of GraphQL over HTTP wants it: GET, or POST of JSON. */
import { execute, GraphQLError } from "graphql"
import { createHandler, type Handler } from "graphql-http"
import { unavailable } from "../Unavailable.ts"
import type { Answering, Backend } from "./Answering.ts"
import { loadersOf } from "./Loaders.ts"
import { prepare } from "./Operation.ts"
import { toldBy } from "./ToldErrors.ts"

/** Seconds that an operation may take, whatever it asks. */
const deadlineSeconds = 10

/** Who asks; the signal tells that it has left. */
export interface Asker {
  readonly signal: AbortSignal
  readonly isOperator: boolean
  readonly run: Backend["run"]
}

export const queryHandler = ({ report, stores }: Pick<Backend, "report" | "stores">): Handler<null, Asker> => {
  const answering = (query: string, { isOperator, run, signal }: Asker): Answering => {
    const runHere: Answering["run"] = (effect) => run(effect, { signal })
    return {
      stores,
      loaders: loadersOf(stores, (effect) => runHere(unavailable(effect)), { cache: true }),
      run: runHere,
      isOperator,
      wantsItems: /\bitems\b/.test(query),
      tooSlow: () => {}
    }
  }

  return createHandler<null, Asker, Answering>({
    parseRequestParams: ({ body }) => {
      if (typeof body === "string" && body.trimStart().startsWith("[")) {
        throw new Error("wants one operation, not a list of them")
      }
    },
    onSubscribe: ({ context }, params) => {
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(deadlineSeconds * 1000)])
      const args = prepare("query", params, answering(params.query, { ...context, signal }))
      return "schema" in args ? { ...args, abortSignal: signal } : args
    },
    execute: async (args) => {
      try {
        return await execute(args)
      } catch (error) {
        if (args.abortSignal?.aborted !== true) throw error
        return { errors: [tooLong] }
      }
    },
    formatError: toldBy(report)
  })
}

const tooLong = new GraphQLError(`The query took more than ${deadlineSeconds} seconds: ask for less.`, {
  extensions: { code: "SERVICE_UNAVAILABLE" }
})
