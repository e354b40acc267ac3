/**
 * What an operation may ask for, decided before anything is read. What it costs is about the number of fields that its
 * answer has, and more where a statement is needed; lists count as long as they are asked for, or usually are.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  getNullableType,
  getOperationAST,
  getVariableValues,
  GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  isListType,
  isObjectType,
  Kind,
  Lexer,
  type SelectionSetNode,
  Source,
  TokenKind
} from "graphql"

/** Tokens of a query's text. */
export const mostTokens = 4000
const mostDepth = 12
/** Brackets of all kinds that are open at a time: the parser's own stack is as deep. */
const mostOpen = 100
const mostAliases = 20
const mostCost = 50_000

/** How long lists usually are that nobody limits; the data of a page are limited by its field. */
const usualLengths: ReadonlyMap<string, number> = new Map([["data", 1], ["days", 400], ["months", 150], ["items", 20]])
const usualLength = 10

/** In a field's `extensions`: the cost of a field that is read by itself. */
export const costing = (cost: number) => ({ cost })

/** The field of a page has this argument, and tells killmails, which hold no page themselves. */
const limitArgument = "limit"

const refusal = (message: string) => new GraphQLError(message, { extensions: { code: "TOO_MUCH" } })

const opening: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L])
const closing: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R])

/** Throws for a text that no parser should be given. */
export const refuseNested = (query: string): void => {
  const lexer = new Lexer(new Source(query))
  let open = 0
  for (let token = 0; token < mostTokens && lexer.advance().kind !== TokenKind.EOF; token++) {
    const { kind } = lexer.token
    if (closing.has(kind)) open -= 1
    if (opening.has(kind) && ++open > mostOpen) {
      throw refusal(`The query goes deeper than ${mostDepth} levels, wants at most so many.`)
    }
  }
}

export interface Asked {
  readonly schema: GraphQLSchema
  /** A valid one. */
  readonly document: DocumentNode
  readonly operationName?: string | null | undefined
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined
}

/** Throws why it is too much, in one sentence. */
export const refuseTooMuch = ({ document, operationName, schema, variables }: Asked): void => {
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((definition) => [definition.name.value, definition])
  )
  const given = getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {})
  const numbers = given.variableValues?.coerced ?? {}
  let aliases = 0
  let visited = 0

  const costOf = (
    { selections }: SelectionSetNode,
    type: GraphQLObjectType,
    depth: number,
    inPage: boolean
  ): number => {
    let cost = 0
    if (depth > mostDepth) throw refusal(`The query goes deeper than ${mostDepth} levels, wants at most so many.`)
    for (const selection of selections) {
      // Fragments of fragments can stand for more fields than one could count.
      if (++visited > mostCost) throw refusal(tooCostly)
      if (selection.kind === Kind.FIELD) cost += fieldCost(selection, type, depth, inPage)
      else {
        const part = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        if (part !== undefined) cost += costOf(part.selectionSet, type, depth, inPage)
      }
    }
    return cost
  }

  const fieldCost = (node: FieldNode, parent: GraphQLObjectType, depth: number, inPage: boolean): number => {
    const name = node.name.value
    if (node.alias !== undefined && ++aliases > mostAliases) {
      throw refusal(`The query has more than ${mostAliases} aliases, wants at most so many.`)
    }
    const field = parent.getFields()[name]
    // What the schema tells of itself is limited by a rule of GraphQL's own.
    if (field === undefined || node.selectionSet === undefined) return 1
    const type = getNamedType(field.type)
    if (!isObjectType(type)) return 1
    const isPage = field.args.some((argument) => argument.name === limitArgument)
    if (isPage && inPage) {
      throw refusal(`${name}: stands within a list of killmails, wants a query of its own for each.`)
    }
    const length = isPage ? limitOf(node, field) : isListType(getNullableType(field.type)) ? lengthOf(name) : 1
    const cost = ownCost(field) + length * costOf(node.selectionSet, type, depth + 1, inPage || isPage)
    if (cost > mostCost) throw refusal(tooCostly)
    return cost
  }

  const limitOf = (node: FieldNode, field: GraphQLField<unknown, unknown>): number => {
    const value = node.arguments?.find((argument) => argument.name.value === limitArgument)?.value
    const limit = value?.kind === Kind.INT
      ? Number(value.value)
      : value?.kind === Kind.VARIABLE
      ? numbers[value.name.value]
      : undefined
    const usual = field.args.find((argument) => argument.name === limitArgument)?.default
    const length = limit ?? (usual !== undefined && "value" in usual ? usual.value : undefined)
    // What is no length is refused later, and must not make up for other fields here.
    return typeof length === "number" && length >= 1 ? length : 1
  }

  if (costOf(operation.selectionSet, root, 1, false) > mostCost) throw refusal(tooCostly)
}

const tooCostly =
  `The query asks for more than about ${mostCost} fields, wants less: a smaller limit, fewer fields or shorter lists.`

const lengthOf = (name: string): number => usualLengths.get(name) ?? usualLength

const ownCost = ({ extensions }: GraphQLField<unknown, unknown>): number =>
  typeof extensions["cost"] === "number" ? extensions["cost"] : 1
