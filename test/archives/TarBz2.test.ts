import { assert, describe, it } from "@effect/vitest"
import { ArchiveDamaged, readFrom } from "../../src/archives/BitReader.ts"
import { type Member, membersOf } from "../../src/archives/TarBz2.ts"
import { archiveOf, tarOf } from "../../src/sandbox/Archives.ts"
import { bzip2 } from "../../src/sandbox/Bzip2.ts"

const files = Array.from(
  { length: 50 },
  (_, k) => ({ name: `killmails/${k}.json`, text: `{"k": ${k}}`.repeat(1 + k * 9) })
)

const read = async (bytes: Uint8Array) => {
  const members: Array<Member> = []
  try {
    for await (const member of membersOf(readFrom(bytes))) members.push(member)
  } catch (error) {
    return { members, error }
  }
  return { members, error: undefined }
}

describe("an archive", () => {
  it("gives its members in order, with their bytes", async () => {
    const { error, members } = await read(archiveOf(files))
    assert.isUndefined(error)
    assert.deepStrictEqual(members.map(({ bytes, name }) => ({ name, text: bytes.toString() })), files)
  })

  it("may be empty", async () => {
    assert.deepStrictEqual(await read(archiveOf([])), { members: [], error: undefined })
  })

  it("that is cut off, packed or before, gives what is whole and says that it is damaged", async () => {
    const packed = archiveOf(files)
    const cut = await read(packed.subarray(0, packed.length >> 1))
    assert.instanceOf(cut.error, ArchiveDamaged)
    const tar = tarOf(files)
    const { error, members } = await read(bzip2(tar.subarray(0, tar.length >> 1)))
    assert.instanceOf(error, ArchiveDamaged)
    assert.isAbove(members.length, 10)
    assert.deepStrictEqual(members.map(({ name }) => name), files.slice(0, members.length).map(({ name }) => name))
  })

  it("whose headers are not tar's says so", async () => {
    const { error, members } = await read(bzip2(Buffer.from("no tar at all ".repeat(100))))
    assert.instanceOf(error, ArchiveDamaged)
    assert.lengthOf(members, 0)
  })
})
