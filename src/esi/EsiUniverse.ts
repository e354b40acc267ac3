/** What ESI knows of the game itself, one thing a request. Its answers hold until 11:05 UTC: ask for nothing twice. */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { makeAsk } from "./Ask.ts"
import { decoder } from "./EsiAnswer.ts"
import { EsiClient } from "./EsiClient.ts"
import type { EsiError } from "./EsiError.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

const Type = Schema.Struct({
  type_id: Schema.Int,
  name: Schema.String,
  group_id: Schema.Int,
  published: Schema.Boolean,
  market_group_id: Schema.optionalKey(Schema.Int),
  dogma_attributes: Schema.optionalKey(
    Schema.Array(Schema.Struct({ attribute_id: Schema.Int, value: Schema.Finite }))
  )
})
const Group = Schema.Struct({ group_id: Schema.Int, name: Schema.String, category_id: Schema.Int })
const Category = Schema.Struct({ category_id: Schema.Int, name: Schema.String })
const System = Schema.Struct({
  system_id: Schema.Int,
  name: Schema.String,
  constellation_id: Schema.Int,
  security_status: Schema.Finite
})
const Constellation = Schema.Struct({ constellation_id: Schema.Int, name: Schema.String, region_id: Schema.Int })
const Region = Schema.Struct({ region_id: Schema.Int, name: Schema.String })

type Lookup<A> = (id: number) => Effect.Effect<A, EsiError | SqlError.SqlError>

/** Each fails with `EsiNotFound` for an id that does not exist, and with `EsiPaused` rather than wait long. */
export class EsiUniverse extends Context.Service<EsiUniverse, {
  readonly type: Lookup<typeof Type.Type>
  readonly group: Lookup<typeof Group.Type>
  readonly category: Lookup<typeof Category.Type>
  readonly system: Lookup<typeof System.Type>
  readonly constellation: Lookup<typeof Constellation.Type>
  readonly region: Lookup<typeof Region.Type>
}>()("killmaild/esi/EsiUniverse") {
  static readonly layer = Layer.effect(
    EsiUniverse,
    Effect.gen(function*() {
      const ask = yield* makeAsk

      const lookup = <A>(kind: string, parameter: string, body: Schema.Codec<A, unknown>): Lookup<A> => {
        const decode = decoder(body)
        return (id) => {
          const path = `/universe/${kind}/${id}`
          return ask({ route: `/universe/${kind}/{${parameter}}`, path, pausedBy: [tranquilityBucket] }, decode(path))
        }
      }

      return EsiUniverse.of({
        type: lookup("types", "type_id", Type),
        group: lookup("groups", "group_id", Group),
        category: lookup("categories", "category_id", Category),
        system: lookup("systems", "system_id", System),
        constellation: lookup("constellations", "constellation_id", Constellation),
        region: lookup("regions", "region_id", Region)
      })
    })
  ).pipe(Layer.provide(Layer.provideMerge(Tranquility.layer, EsiClient.layer)))
}
