/** From the text of an operation to its execution, or to why there will be none. */
import {
  type ExecutionArgs,
  getOperationAST,
  GraphQLError,
  OperationTypeNode,
  parse,
  specifiedRules,
  validate
} from "graphql"
import type { Answering } from "./Answering.ts"
import { mostTokens, refuseNested, refuseTooMuch } from "./Limits.ts"
import { schema } from "./Schema.ts"

/** What a client sends, over HTTP as over a socket. */
export interface OperationText {
  readonly query: string
  readonly operationName?: string | null | undefined
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined
}

export type Prepared = ExecutionArgs & { contextValue: Answering }

/** Faults of a query are told one by one, up to so many. */
const mostErrors = 5

const wants = {
  query: "Wants a query here; subscriptions are heard over graphql-transport-ws.",
  subscription: "Wants a subscription here; queries are asked over HTTP."
}

/** Ready to be executed, or refused. */
export const prepare = (
  kind: keyof typeof wants,
  { operationName, query, variables }: OperationText,
  contextValue: Answering
): Prepared | ReadonlyArray<GraphQLError> => {
  try {
    refuseNested(query)
    const document = parse(query, { maxTokens: mostTokens })
    const errors = validate(schema, document, specifiedRules, { maxErrors: mostErrors, hideSuggestions: true })
    if (errors.length > 0) return errors
    const operation = getOperationAST(document, operationName)
    if (!operation) return [new GraphQLError("operationName: wants the name of one operation of the query.")]
    if (operation.operation !== OperationTypeNode[kind === "query" ? "QUERY" : "SUBSCRIPTION"]) {
      return [new GraphQLError(wants[kind])]
    }
    refuseTooMuch({ schema, document, operationName, variables })
    return { schema, document, operationName, variableValues: variables, contextValue, hideSuggestions: true }
  } catch (error) {
    if (error instanceof GraphQLError) return [error]
    throw error
  }
}
