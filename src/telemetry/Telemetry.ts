/** How the daemon is seen from outside, but for its metrics, which the interface shows. */
import { Layer } from "effect"
import * as Logs from "./Logs.ts"
import * as Tracing from "./Tracing.ts"

export const layer = Tracing.layer.pipe(Layer.provideMerge(Logs.layer))
