/** What our OpenAPI document promises: operations, their parameters, and which answers they may give. */
import { Ajv2020 } from "ajv/dist/2020.js"
import type { Answer } from "./Attempt.ts"

interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required?: boolean
  readonly schema: Readonly<Record<string, unknown>>
}

interface Media {
  readonly schema: object
}

interface Described {
  readonly operationId: string
  readonly parameters?: ReadonlyArray<Parameter>
  readonly security?: ReadonlyArray<object>
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

export interface Operation {
  readonly id: string
  readonly method: string
  /** With its parameters in braces. */
  readonly path: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly hasBody: boolean
  readonly isGuarded: boolean
}

export interface Contract {
  readonly operations: ReadonlyArray<Operation>
  /** What of the answer the operation did not promise. */
  readonly breach: (operationId: string, answer: Answer) => string | undefined
}

export const contractOf = (document: Document): Contract => {
  const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false })
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation }))
  )
  const byId = new Map(described.map(({ operation }) => [operation.operationId, operation]))
  const compiled = new Map<object, ReturnType<typeof ajv.compile>>()
  const fits = (schema: object, value: unknown): string | undefined => {
    const validate = compiled.get(schema) ?? ajv.compile({ ...schema, components: document.components })
    compiled.set(schema, validate)
    return validate(value) ? undefined : ajv.errorsText(validate.errors, { dataVar: "body" })
  }

  const line = { $ref: "#/components/schemas/KillmailSummary" }

  const breach: Contract["breach"] = (operationId, { body, headers, status }) => {
    const response = byId.get(operationId)?.responses[status]
    if (response === undefined) return `answers ${status}, which it does not declare`
    const type = (headers["content-type"] ?? "").split(";")[0]!.trim()
    const media = response.content?.[type]
    if (response.content !== undefined && media === undefined) {
      return `answers ${status} as ${type || "nothing"}, declares ${Object.keys(response.content).join(", ")}`
    }
    if (media === undefined) return undefined
    const text = body.toString()
    const wrong = type.endsWith("json") && type !== "application/x-ndjson"
      ? fits(media.schema, JSON.parse(text))
      : type === "application/x-ndjson"
      ? text.split("\n").filter((part) => part !== "").map((part) => fits(line, JSON.parse(part))).find(Boolean)
      : undefined
    return wrong === undefined ? undefined : `answers ${status} with what its schema does not allow: ${wrong}`
  }

  return {
    operations: described.map(({ method, operation, path }) => ({
      id: operation.operationId,
      method,
      path,
      parameters: operation.parameters ?? [],
      hasBody: operation.requestBody !== undefined,
      isGuarded: (operation.security ?? []).length > 0
    })),
    breach
  }
}
