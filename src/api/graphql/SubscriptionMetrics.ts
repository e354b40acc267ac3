/** What is counted of GraphQL's subscriptions. */
import { Metric } from "effect"
import { broadcastMessages, subscribers } from "../../telemetry/Metrics.ts"

const protocol = { protocol: "graphql" }
export const messagesSent = Metric.withAttributes(broadcastMessages, protocol)
export const subscriptionsOpen = Metric.withAttributes(subscribers, protocol)
