/** seek-bzip brings no types of its own. */
declare module "seek-bzip" {
  const Bunzip: {
    /** The whole file at once; throws when it is damaged. */
    readonly decode: (input: Buffer, output?: undefined, multistream?: boolean) => Buffer
  }
  export default Bunzip
}
