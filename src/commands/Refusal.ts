/** A command was asked for what it cannot do, or did not get done: one sentence that says why, and exit status 1. */
import { Schema } from "effect"

export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", { message: Schema.String }) {}

export const refuse = (message: string): Refusal => new Refusal({ message })
