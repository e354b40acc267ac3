/** GraphQL's types, made of the contract that `/openapi.json` tells: its fields in camelCase, whole numbers as `Long`. */
import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLError,
  type GraphQLFieldConfigMap,
  GraphQLFloat,
  GraphQLInputObjectType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLString,
  Kind
} from "graphql"

/** What a contract's JSON schemas use of the standard. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly description?: string
  readonly enum?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly items?: JsonSchema
  readonly prefixItems?: ReadonlyArray<JsonSchema>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
}

/** `killmail_id` is `killmailId`. */
export const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
export const pascalCase = (name: string): string => camelCase(`_${name}`)

const wholeNumber = (value: unknown): number => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value
  throw new GraphQLError(`Long: got ${JSON.stringify(value)?.slice(0, 60)}, wants a whole number below 2^53.`)
}

export const Long = new GraphQLScalarType<number, number>({
  name: "Long",
  description: "A whole number below 2^53, as a JSON number: ids, sequences, damage.",
  coerceOutputValue: wholeNumber,
  coerceInputValue: wholeNumber,
  coerceInputLiteral: (node) =>
    wholeNumber(node.kind === Kind.INT ? Number(node.value) : "value" in node ? node.value : null)
})

const scalars: Readonly<Record<string, GraphQLScalarType>> = {
  integer: Long,
  number: GraphQLFloat,
  boolean: GraphQLBoolean,
  string: GraphQLString
}

/** Of `#/components/schemas/KillmailDocument`: Killmail. */
const nameOf = (ref: string): string => ref.split("/").at(-1)!.replace(/Document$/, "")

const isRequired = ({ required = [] }: JsonSchema, property: string): boolean => required.includes(property)
const isNullable = ({ anyOf = [] }: JsonSchema): boolean => anyOf.some(({ type }) => type === "null")

/** Whether GraphQL can tell it: a map from ids to names has no fields. */
const hasType = ({ properties, type }: JsonSchema): boolean => type !== "object" || properties !== undefined

/** A type that has a name of its own, where the schema is of such. */
type Naming<Named extends GraphQLObjectType | GraphQLEnumType> = (schema: JsonSchema) => Named | undefined

const typeOf = <Named extends GraphQLObjectType | GraphQLEnumType>(schema: JsonSchema, naming: Naming<Named>) => {
  const present = schema.anyOf?.find(({ type }) => type !== "null") ?? schema
  const item = present.items ?? present.prefixItems?.[0]
  return item === undefined ? leafOf(present, naming) : new GraphQLList(new GraphQLNonNull(leafOf(item, naming)))
}

const leafOf = <Named extends GraphQLObjectType | GraphQLEnumType>(
  schema: JsonSchema,
  naming: Naming<Named>
): Named | GraphQLScalarType => {
  const type = naming(schema) ?? scalars[schema.type ?? ""]
  if (type === undefined) throw new Error(`GraphQL has no type for ${JSON.stringify(schema)}, wants an identifier.`)
  return type
}

/** A document of the contract. */
export type Source = Readonly<Record<string, unknown>>
export type Fields<Context> = GraphQLFieldConfigMap<Source, Context>

export interface OutputOptions<Context> {
  /** By the names of the contract. */
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** Fields that a type has besides: what its ids lead on to. */
  readonly more: (name: string, schema: JsonSchema) => Fields<Context>
}

/** The object types by GraphQL's names, made when they are asked for. Their sources are documents of the contract. */
export const outputTypes = <Context>({ more, schemas }: OutputOptions<Context>) => {
  const made = new Map<string, GraphQLObjectType>()

  const objectOf = (name: string): GraphQLObjectType => {
    const known = made.get(name)
    if (known !== undefined) return known
    const schema = schemas[name] ?? schemas[`${name}Document`]
    if (schema === undefined) throw new Error(`The contract has no ${name}.`)
    const type = new GraphQLObjectType({
      name,
      description: schema.description ?? null,
      fields: () => ({ ...fieldsOf(schema), ...more(name, schema) })
    })
    made.set(name, type)
    return type
  }

  const fieldsOf = (schema: JsonSchema): Fields<Context> =>
    Object.fromEntries(
      Object.entries(schema.properties ?? {}).filter(([, property]) => hasType(property)).map(([name, property]) => {
        const type = typeOf(property, ({ $ref }) => $ref === undefined ? undefined : objectOf(nameOf($ref)))
        const isPresent = isRequired(schema, name) && !isNullable(property)
        return [camelCase(name), {
          type: isPresent ? new GraphQLNonNull(type) : type,
          description: property.description ?? null,
          resolve: (source) => source[name]
        }]
      })
    )

  return objectOf
}

/** `describe` says what each property wants. */
export const inputType = (
  name: string,
  schema: JsonSchema,
  describe: (property: string) => string
): GraphQLInputObjectType =>
  new GraphQLInputObjectType({
    name,
    fields: Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([property, wanted]) => [camelCase(property), {
        type: typeOf(wanted, ({ enum: values }) =>
          values && new GraphQLEnumType({
            name: pascalCase(property),
            values: Object.fromEntries(values.map((value) => [value, {}]))
          })),
        description: describe(property)
      }])
    )
  })

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What was given to an input; null is as good as absent. */
export const inContractNames = (input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(input).flatMap(([name, value]) => value === null ? [] : [[snakeCase(name), value]])
  )
