/** seek-bzip brings no types of its own. All throw when the data are damaged. */
declare module "seek-bzip" {
  const Bunzip: {
    /** The whole file at once. */
    readonly decode: (input: Buffer, output?: undefined, multistream?: boolean) => Buffer
    /** Tells the position, in bits, of every block. */
    readonly table: (input: Buffer, callback: (position: number) => void, multistream?: boolean) => void
    readonly decodeBlock: (input: Buffer, position: number) => Buffer
  }
  export default Bunzip
}
