/** What can be asked at `/graphql`, and who answers it; docs/schema.graphql shows it whole. */
import { Effect, Option } from "effect"
import { type GraphQLFieldConfig, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql"
import type { Announcement } from "../../broadcast/LiveKillmails.ts"
import { toDocument } from "../../domain/Document.ts"
import { unavailable } from "../Unavailable.ts"
import type { Answering } from "./Answering.ts"
import { Long, pascalCase } from "./ContractTypes.ts"
import { filterOf, KillmailFilter } from "./FilterInput.ts"
import { nameless, type PageArguments, pageArguments, pageOf } from "./KillmailPages.ts"
import { cost, type Entity, KillmailPage, listOf, objectOf, read } from "./Objects.ts"
import { publications } from "./Publications.ts"
import { WorkerStatus, workerStatus } from "./WorkerStatus.ts"

const id = { id: { type: new GraphQLNonNull(Long) } }

const entity = (name: Entity): GraphQLFieldConfig<unknown, Answering> => ({
  type: objectOf(pascalCase(name)),
  args: id,
  extensions: cost.lookup,
  resolve: (_, { id }: { readonly id?: number }, answering) => read[name](answering, id!)
})

const Query = new GraphQLObjectType<unknown, Answering>({
  name: "Query",
  fields: () => ({
    killmail: {
      type: objectOf("Killmail"),
      args: id,
      extensions: cost.lookup,
      resolve: (_, { id }, { run, stores: { killmails } }) =>
        run(Effect.map(
          unavailable(killmails.find(id as number)),
          (row) => Option.getOrNull(Option.map(row, (row) => toDocument(row, nameless)))
        ))
    },
    killmails: {
      type: new GraphQLNonNull(KillmailPage),
      description: "Killmails that fit the filter, newest first",
      args: pageArguments,
      extensions: cost.page,
      resolve: (_, page, answering) => answering.run(pageOf(answering, page as PageArguments))
    },
    character: entity("character"),
    corporation: entity("corporation"),
    alliance: entity("alliance"),
    workerStatus: {
      type: listOf(WorkerStatus),
      description: "The queue; for the operator only",
      extensions: cost.page,
      resolve: (_, __, answering) => answering.run(workerStatus(answering))
    }
  })
})

interface Resumption {
  readonly filter?: Record<string, unknown> | null
  readonly after?: number | null
  readonly epoch?: string | null
}

const subscribeTo =
  (type: Announcement["type"]) =>
  (_: unknown, { after, epoch, filter: input }: Resumption, { run, stores: { live }, tooSlow }: Answering) =>
    run(Effect.gen(function*() {
      const filter = yield* filterOf(input)
      return yield* publications(live, { type, filter, after: after ?? undefined, epoch: epoch ?? undefined }, tooSlow)
    }))

const Subscription = new GraphQLObjectType<unknown, Answering>({
  name: "Subscription",
  fields: () => ({
    killmail: {
      type: new GraphQLNonNull(objectOf("Killmail")),
      description: "Killmails in the order of their sequence; with `after`, what was missed comes first",
      args: {
        filter: { type: KillmailFilter },
        after: { type: Long, description: "The last sequence that was heard" },
        epoch: { type: GraphQLString, description: "Of `after`; the acknowledgement of the connection tells it" }
      },
      subscribe: subscribeTo("killmail"),
      resolve: (document) => document
    },
    revalued: {
      type: new GraphQLNonNull(objectOf("Killmail")),
      description: "Killmails whose value was corrected",
      args: { filter: { type: KillmailFilter } },
      subscribe: subscribeTo("revalued"),
      resolve: (document) => document
    }
  })
})

export const schema = new GraphQLSchema({ query: Query, subscription: Subscription })
