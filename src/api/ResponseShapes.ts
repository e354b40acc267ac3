/** What answers before an endpoint is asked, as its OpenAPI operation tells it: to too many requests, and to unfit ones. */

interface Operation {
  readonly requestBody?: unknown
  readonly responses: Record<string, unknown>
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, unknown> }
}

const Problem = {
  type: "object",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" }
  },
  required: ["type", "title", "status"]
}

const refusal = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } }
})

const header = (description: string) => ({ description, schema: { type: "string" } })

const tooMany = {
  ...refusal("More requests than one client may make"),
  headers: {
    "Retry-After": header("Seconds"),
    "RateLimit": header("What is left of the limit, and the seconds until all of it is there again"),
    "RateLimit-Policy": header("The limit, and the seconds for which it holds")
  }
}

const ofBodies = { 413: refusal("A body that is too large"), 415: refusal("A body that is no JSON") }

const complete = (operation: Operation): Operation => ({
  ...operation,
  responses: {
    ...operation.responses,
    ...(operation.requestBody === undefined ? {} : ofBodies),
    429: tooMany,
    431: refusal("Headers, or an address, that are too long")
  }
})

/** The document with these answers at every operation. */
export const withSharedResponses = (document: Record<string, unknown>): Record<string, unknown> => {
  const { components, paths } = document as unknown as Document
  const mapped = Object.entries(paths).map(([path, operations]) => [
    path,
    Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, complete(operation)]))
  ])
  return {
    ...document,
    paths: Object.fromEntries(mapped),
    components: { ...components, schemas: { ...components.schemas, Problem } }
  }
}
