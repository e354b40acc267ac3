/** The members of a tar archive that bzip2 packed (*.tar.bz2), one after another. */
import { pipeline, Readable } from "node:stream"
import { extract } from "tar-stream"
import { ArchiveDamaged, type Read } from "./BitReader.ts"
import { bunzip2 } from "./Bunzip2.ts"

export interface Member {
  /** With its folders. */
  readonly name: string
  readonly bytes: Buffer
}

/** No file in an archive of killmails or prices comes near. */
const largestMember = 64 * 1024 * 1024

/** Its files, in their order. Throws `ArchiveDamaged`, after those that could be read. */
export async function* membersOf(read: Read): AsyncGenerator<Member> {
  const archive = extract()
  pipeline(Readable.from(bunzip2(read)), archive, () => {})
  try {
    for await (const entry of archive) {
      const { name, size = 0, type } = entry.header
      if (size > largestMember) throw new ArchiveDamaged(`its member ${name} is larger than 64 MiB`)
      const chunks: Array<Buffer> = []
      for await (const chunk of entry) chunks.push(chunk as Buffer)
      if (type === "file") yield { name, bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }
    }
  } catch (cause) {
    throw cause instanceof ArchiveDamaged ? cause : new ArchiveDamaged(`it is no whole tar archive (${cause})`)
  }
}
