/** The agent's programs are bundled as bytes. */
declare module '*.agent' {
  const program: Uint8Array;
  export default program;
}
