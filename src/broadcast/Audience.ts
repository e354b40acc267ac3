/** Who hears what: members, each with subscriptions that have a filter, found by the ids that their filters name. */
import type { Filter } from "../domain/Filter.ts"
import * as FilterIndex from "../domain/FilterIndex.ts"
import type { Announcement } from "./LiveKillmails.ts"

/** Called synchronously, in order, with those of its subscriptions that fit; must not block. One that throws hears no more. */
export type Listener = (ids: ReadonlyArray<string>, announcement: Announcement) => void

export interface Membership {
  /** `id` must be free. */
  readonly add: (id: string, filter: Filter) => void
  readonly remove: (id: string) => void
  /** Ends all of it. */
  readonly leave: () => void
}

export interface Audience {
  readonly join: (listener: Listener) => Membership
  /** Hears everything. Returns how to stop. */
  readonly listen: (hear: (announcement: Announcement) => void) => () => void
  /** Tells all whom it fits; returns how many of them failed. */
  readonly tell: (announcement: Announcement) => number
}

interface Member {
  readonly listener: Listener
  readonly leave: () => void
  /** Of its subscriptions, those that fit what is told right now. */
  fitting: Array<string>
}

export const make = (): Audience => {
  const index = FilterIndex.make<{ readonly member: Member; readonly id: string }>()
  const members = new Set<Member>()

  const join = (listener: Listener): Membership => {
    const removals = new Map<string, () => void>()
    const remove = (id: string) => {
      removals.get(id)?.()
      removals.delete(id)
    }
    const leave = () => {
      members.delete(member)
      for (const id of removals.keys()) remove(id)
    }
    const member: Member = { listener, leave, fitting: [] }
    members.add(member)
    return { add: (id, filter) => void removals.set(id, index.add(filter, { member, id })), remove, leave }
  }

  const listen: Audience["listen"] = (hear) => {
    const { add, leave } = join((_, announcement) => hear(announcement))
    add("everything", {})
    return leave
  }

  const tell = (announcement: Announcement): number => {
    const wanted: Array<Member> = []
    for (const { id, member } of index.fitting(announcement.subject)) {
      if (member.fitting.push(id) === 1) wanted.push(member)
    }
    let failures = 0
    for (const member of wanted) {
      const ids = member.fitting
      member.fitting = []
      // Who was told before may have made it leave.
      if (!members.has(member) || hears(member, ids, announcement)) continue
      member.leave()
      failures++
    }
    return failures
  }

  return { join, listen, tell }
}

const hears = ({ listener }: Member, ids: ReadonlyArray<string>, announcement: Announcement): boolean => {
  try {
    listener(ids, announcement)
    return true
  } catch {
    return false
  }
}
