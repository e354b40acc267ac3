/** The queue of jobs, for the operator. */
import { Effect } from "effect"
import { GraphQLNonNull, GraphQLObjectType, GraphQLString } from "graphql"
import { Unauthorized } from "../ApiErrors.ts"
import { unavailable } from "../Unavailable.ts"
import type { Answering } from "./Answering.ts"
import { Long } from "./ContractTypes.ts"

const count = { type: new GraphQLNonNull(Long) }
export const WorkerStatus = new GraphQLObjectType<unknown, Answering>({
  name: "WorkerStatus",
  description: "The jobs of one task.",
  fields: {
    queueName: { type: new GraphQLNonNull(GraphQLString) },
    messageCount: { ...count, description: "Jobs that wait, and could run now" },
    consumerCount: { ...count, description: "Processes that take jobs, over all replicas" },
    scheduledCount: { ...count, description: "Jobs that are to run later" },
    activeCount: { ...count, description: "Jobs that run now" },
    failedCount: { ...count, description: "Dead letters" },
    completedCount: { ...count, description: "In the last 24 hours" },
    oldestMessageAt: { type: GraphQLString, description: "Since when the oldest waits" }
  }
})

/** One row a task, whatever the priorities of its jobs. */
export const workerStatus = Effect.fnUntraced(function*({ isOperator, stores: { pools, queue } }: Answering) {
  if (!isOperator) {
    return yield* new Unauthorized({ detail: "workerStatus: wants the admin token: Authorization: Bearer …" })
  }
  const consumerCount = yield* unavailable(pools.living)
  const tasks = Map.groupBy(yield* unavailable(queue.stats()), ({ task }) => task)
  return [...tasks].map(([queueName, rows]) => {
    const sum = (name: "waiting" | "scheduled" | "active" | "failed" | "completed") =>
      rows.reduce((total, row) => total + row[name], 0)
    const oldest = rows.flatMap(({ oldest_waiting }) => oldest_waiting ?? []).toSorted((a, b) => +a - +b)[0]
    return {
      queueName,
      messageCount: sum("waiting"),
      consumerCount,
      scheduledCount: sum("scheduled"),
      activeCount: sum("active"),
      failedCount: sum("failed"),
      completedCount: sum("completed"),
      oldestMessageAt: oldest?.toISOString() ?? null
    }
  })
})
