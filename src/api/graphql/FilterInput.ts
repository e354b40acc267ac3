/** The one filter as an input of GraphQL. */
import { Effect, Result, Schema } from "effect"
import { Filter, type FilterField, filterFields, readFilter } from "../../domain/Filter.ts"
import { BadRequest } from "../ApiErrors.ts"
import { camelCase, inContractNames, inputType, type JsonSchema } from "./ContractTypes.ts"

export const KillmailFilter = inputType(
  "KillmailFilter",
  Schema.toJsonSchemaDocument(Filter).schema as JsonSchema,
  (property) => filterFields[property as FilterField]
)

/** The names of fields in its sentences are the contract's. */
const inGraphql = (sentence: string): string =>
  Object.keys(filterFields).reduce((text, name) => text.replaceAll(name, camelCase(name)), sentence)

/** Fails with one sentence that names the field. */
export const filterOf = (input: Record<string, unknown> | null | undefined) =>
  Effect.fromResult(
    Result.mapError(
      readFilter(inContractNames(input ?? {})),
      (problem) => new BadRequest({ detail: inGraphql(problem) })
    )
  )
