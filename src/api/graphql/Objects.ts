/** The objects of the graph: the contract's, which lead on to one another by their ids. */
import { OpenApi } from "effect/http-api"
import { type GraphQLFieldConfig, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql"
import { Api } from "../Api.ts"
import { withTimes } from "../EntityTimes.ts"
import type { Answering } from "./Answering.ts"
import { camelCase, type Fields, type JsonSchema, Long, outputTypes, pascalCase, type Source } from "./ContractTypes.ts"
import { type PageArguments, pageArguments, pageOf } from "./KillmailPages.ts"
import { costing } from "./Limits.ts"

export const listOf = (type: GraphQLObjectType) => new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(type)))

/** What is read by a statement of its own costs more than a field. Of statistics all days and months are read. */
export const cost = { lookup: costing(20), page: costing(200), statistics: costing(400) }

const Named = new GraphQLObjectType<{ readonly id: number }, Answering>({
  name: "Named",
  description: "What has an id and a name: a type, a solar system, a faction.",
  fields: {
    id: { type: new GraphQLNonNull(Long) },
    name: {
      type: GraphQLString,
      description: "Null while it is not known",
      resolve: ({ id }, _, { loaders }) => loaders.name.load(id)
    }
  }
})

/** What an id leads on to: `victim_character` to `victimCharacter`, a Character. */
const linked = (name: string): GraphQLFieldConfig<Source, Answering> => {
  const entity = /(?:^|_)(character|corporation|alliance)_id$/.exec(name)?.[1] as Entity | undefined
  return entity === undefined
    ? { type: Named, resolve: (source) => isId(source[name]) ? { id: source[name] } : null }
    : {
      type: objectOf(pascalCase(entity)),
      description: "Null where nothing is known of it",
      resolve: (source, _, answering) => isId(source[name]) ? read[entity](answering, source[name]) : null
    }
}
const isId = (value: unknown): value is number => typeof value === "number"

const timed = <Row extends Parameters<typeof withTimes>[0]>(row: Row | null) => row === null ? null : withTimes(row)

export const read = {
  character: async ({ loaders }: Answering, id: number) => timed(await loaders.character.load(id)),
  corporation: async ({ loaders }: Answering, id: number) => timed(await loaders.corporation.load(id)),
  alliance: async ({ loaders }: Answering, id: number) => timed(await loaders.alliance.load(id))
}
export type Entity = keyof typeof read

/** These ids lead nowhere: to the very thing, or to what has no name here. */
const leadsOn = (type: string, property: string): boolean =>
  property.endsWith("_id") && property !== "killmail_id" && property !== "war_id" &&
  camelCase(property) !== `${type.toLowerCase()}Id`

const linksOf = (type: string, { properties = {} }: JsonSchema): Fields<Answering> =>
  Object.fromEntries(
    Object.keys(properties).filter((property) => leadsOn(type, property)).map((property) => [
      camelCase(property.slice(0, -"_id".length)),
      linked(property)
    ])
  )

/** What a character, corporation or alliance did. */
const deedsOf = (entity: Entity): Fields<Answering> => ({
  stats: {
    type: new GraphQLNonNull(objectOf("Statistics")),
    extensions: cost.statistics,
    resolve: (source, _, { loaders }) => loaders.statistics(entity).load(source[`${entity}_id`] as number)
  },
  killmails: {
    type: new GraphQLNonNull(KillmailPage),
    description: "Its kills and losses, newest first",
    args: pageArguments,
    extensions: cost.page,
    resolve: (source, page, answering) =>
      answering.run(pageOf(answering, page as PageArguments, { [entity]: [source[`${entity}_id`] as number] }))
  }
})

/** Fields that types of the contract have in GraphQL besides, or otherwise. */
const own: Readonly<Record<string, () => Fields<Answering>>> = {
  Character: () => ({
    ...deedsOf("character"),
    group: {
      type: objectOf("CharacterGroup"),
      extensions: cost.lookup,
      resolve: (source, _, { loaders }) => loaders.group.load(source["character_id"] as number)
    }
  }),
  Corporation: () => deedsOf("corporation"),
  Alliance: () => deedsOf("alliance"),
  Damage: () => ({
    name: { type: GraphQLString, resolve: (source, _, { loaders }) => loaders.name.load(source["id"] as number) }
  })
}

export const objectOf = outputTypes<Answering>({
  schemas: OpenApi.fromApi(Api).components.schemas as Readonly<Record<string, JsonSchema>>,
  more: (name, schema) => ({ ...linksOf(name, schema), ...own[name]?.() })
})

export const KillmailPage = new GraphQLObjectType<unknown, Answering>({
  name: "KillmailPage",
  description: "Killmails, newest first.",
  fields: () => ({
    data: { type: listOf(objectOf("Killmail")) },
    nextCursor: { type: GraphQLString, description: "Asks for the page after it; null on the last" }
  })
})
